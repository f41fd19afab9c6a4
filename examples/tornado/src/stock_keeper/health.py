"""What operators and callers ask of every service: probes, metrics and the API's document."""

from .runtime import Unavailable, document, telemetry
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.server import draining
from .runtime.web import Handler, route


class Probe(Handler):
    def report(self, status: int, body: bytes) -> None:
        """Answer what nobody keeps: the next answer may differ."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.answer(body, HEALTH_CONTENT_TYPE)


class Liveness(Probe):
    def get(self) -> None:
        self.report(200, b'{"status": "pass"}')


class Readiness(Probe):
    async def get(self) -> None:
        service = self.application
        try:
            checks = await service.probe_threads.run(service.database.checks)
        except Unavailable:
            checks = {"database": False}
        self.report(*health_report(checks, draining.is_set()))


class Metrics(Handler):
    def get(self) -> None:
        self.answer(telemetry.metrics(), telemetry.METRICS_CONTENT_TYPE)


class Document(Handler):
    def get(self) -> None:
        self.answer(document.document_bytes())


class Docs(Handler):
    def get(self) -> None:
        self.set_header("Content-Security-Policy", document.docs_policy())
        self.answer(document.docs_page(), "text/html; charset=utf-8")


routes = [
    route("/livez", Liveness),
    route("/readyz", Readiness),
    route("/metrics", Metrics),
    route("/openapi.json", Document),
    route("/docs", Docs),
]
