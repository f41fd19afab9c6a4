"""What operators and callers ask of every service: probes, metrics and the API's document."""

from falcon import App, Request, Response

from .runtime import document, telemetry
from .runtime.database import Database
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.server import draining


def add_routes(app: App[Request, Response], database: Database) -> None:
    app.add_route("/livez", Liveness())
    app.add_route("/readyz", Readiness(database))
    app.add_route("/metrics", Metrics())
    app.add_route("/openapi.json", Document())
    app.add_route("/docs", Docs())


class Liveness:
    def on_get(self, req: Request, resp: Response) -> None:
        tell(resp, 200, b'{"status": "pass"}')


class Readiness:
    def __init__(self, database: Database) -> None:
        self._database = database

    def on_get(self, req: Request, resp: Response) -> None:
        tell(resp, *health_report(self._database.checks(), draining.is_set()))


def tell(resp: Response, status: int, report: bytes) -> None:
    resp.status, resp.data = status, report
    resp.content_type = HEALTH_CONTENT_TYPE
    resp.cache_control = ["no-store"]


class Metrics:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = telemetry.METRICS_CONTENT_TYPE
        resp.data = telemetry.metrics()


class Document:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.data = document.document_bytes()


class Docs:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", document.docs_policy())
        resp.data = document.docs_page()
