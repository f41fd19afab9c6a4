"""What operators and callers ask of every service: probes, metrics and the API's document."""

from sanic import Blueprint, HTTPResponse, Request

from .runtime import Unavailable, document, telemetry
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.web import draining

blueprint = Blueprint("health")


@blueprint.get("/livez")
async def get_liveness(_: Request) -> HTTPResponse:
    return health(200, b'{"status": "pass"}')


@blueprint.get("/readyz")
async def get_readiness(request: Request) -> HTTPResponse:
    context = request.app.ctx
    try:
        checks = await context.probe_threads.run(context.database.checks)
    except Unavailable:
        checks = {"database": False}
    return health(*health_report(checks, draining.is_set()))


@blueprint.get("/metrics")
async def get_metrics(_: Request) -> HTTPResponse:
    return HTTPResponse(telemetry.metrics(), content_type=telemetry.METRICS_CONTENT_TYPE)


@blueprint.get("/openapi.json")
async def get_document(_: Request) -> HTTPResponse:
    return HTTPResponse(document.document_bytes(), content_type="application/json")


@blueprint.get("/docs")
async def get_docs(_: Request) -> HTTPResponse:
    headers = {"Content-Security-Policy": document.docs_policy()}
    return HTTPResponse(document.docs_page(), 200, headers, "text/html; charset=utf-8")


def health(status: int, body: bytes) -> HTTPResponse:
    """A report that nobody keeps: the next one may differ."""
    return HTTPResponse(body, status, {"Cache-Control": "no-store"}, HEALTH_CONTENT_TYPE)
