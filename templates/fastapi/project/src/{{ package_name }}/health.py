"""What operators and callers ask of every service: probes, metrics and the API's document."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from .runtime import Unavailable, document, telemetry
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.server import draining

router = APIRouter(include_in_schema=False)  # the document has what all services have by itself


@router.get("/livez")
async def get_liveness() -> Response:
    return health(200, b'{"status": "pass"}')


@router.get("/readyz")
async def get_readiness(request: Request) -> Response:
    state = request.app.state
    try:
        checks = await state.probe_threads.run(state.database.checks)
    except Unavailable:
        checks = {"database": False}
    return health(*health_report(checks, draining.is_set()))


@router.get("/metrics")
async def get_metrics() -> Response:
    return Response(telemetry.metrics(), headers={"Content-Type": telemetry.METRICS_CONTENT_TYPE})


@router.get("/openapi.json")
async def get_document(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


@router.get("/docs")
async def get_docs() -> Response:
    headers = {"Content-Security-Policy": document.docs_policy()}
    return Response(document.docs_page(), headers=headers, media_type="text/html")


def health(status: int, body: bytes) -> Response:
    """A report that nobody keeps: the next one may differ."""
    headers = {"Cache-Control": "no-store"}
    return Response(body, status, headers, media_type=HEALTH_CONTENT_TYPE)
