"""What operators and callers ask of every service: probes, metrics and the API's document."""

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from .runtime import document, telemetry
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.server import draining


def includeme(config: Configurator) -> None:
    config.add_resource("liveness", "/livez", guarded=False, GET=get_liveness)
    config.add_resource("readiness", "/readyz", guarded=False, GET=get_readiness)
    config.add_resource("metrics", "/metrics", guarded=False, GET=get_metrics)
    config.add_resource("document", "/openapi.json", guarded=False, GET=get_document)
    config.add_resource("docs", "/docs", guarded=False, GET=get_docs)


def get_liveness(request: Request) -> Response:
    return health(200, b'{"status": "pass"}')


def get_readiness(request: Request) -> Response:
    checks = request.registry.settings["database"].checks()
    return health(*health_report(checks, draining.is_set()))


def health(status: int, report: bytes) -> Response:
    return Response(report, status, content_type=HEALTH_CONTENT_TYPE, cache_control="no-store")


def get_metrics(request: Request) -> Response:
    return Response(telemetry.metrics(), content_type=telemetry.METRICS_CONTENT_TYPE)


def get_document(request: Request) -> Response:
    return Response(document.document_bytes(), content_type="application/json")


def get_docs(request: Request) -> Response:
    response = Response(document.docs_page(), content_type="text/html", charset="utf-8")
    response.headers["Content-Security-Policy"] = document.docs_policy()
    return response
