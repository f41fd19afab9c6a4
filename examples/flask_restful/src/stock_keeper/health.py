"""What operators and callers ask of every service: probes, metrics and the API's document."""

from flask import Blueprint, Response, current_app

from .runtime import document, telemetry
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.server import draining

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def get_liveness() -> Response:
    return health(200, '{"status": "pass"}')


@blueprint.get("/readyz")
def get_readiness() -> Response:
    checks = current_app.extensions["database"].checks()
    return health(*health_report(checks, draining.is_set()))


def health(status: int, body: str | bytes) -> Response:
    return Response(body, status, {"Cache-Control": "no-store"}, content_type=HEALTH_CONTENT_TYPE)


@blueprint.get("/metrics")
def get_metrics() -> Response:
    return Response(telemetry.metrics(), content_type=telemetry.METRICS_CONTENT_TYPE)


@blueprint.get("/openapi.json")
def get_document() -> Response:
    return Response(document.document_bytes(), content_type="application/json")


@blueprint.get("/docs")
def get_docs() -> Response:
    headers = {"Content-Security-Policy": document.docs_policy()}
    return Response(document.docs_page(), headers=headers, content_type="text/html; charset=utf-8")
