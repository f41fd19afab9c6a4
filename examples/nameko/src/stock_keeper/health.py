"""What operators and callers ask of every service: probes, metrics and the API's document."""

from operator import itemgetter

import eventlet
from werkzeug.wrappers import Request, Response

from .runtime import document, telemetry
from .runtime.database import Database
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.server import draining
from .runtime.service import Messaging, dependency
from .runtime.web import http


class Routes:
    database: Database = dependency(itemgetter("database"))
    messaging: Messaging = dependency(itemgetter("messaging"))

    @http("GET", "/livez", worker=False)
    def get_liveness(self, request: Request) -> Response:
        return health(200, '{"status": "pass"}')

    @http("GET", "/readyz")
    def get_readiness(self, request: Request) -> Response:
        broker = eventlet.spawn(self.messaging.answers)  # both have two seconds, not one each
        checks = self.database.checks()
        return health(*health_report({**checks, "broker": broker.wait()}, draining.is_set()))

    @http("GET", "/metrics")
    def get_metrics(self, request: Request) -> Response:
        return Response(telemetry.metrics(), content_type=telemetry.METRICS_CONTENT_TYPE)

    @http("GET", "/openapi.json")
    def get_document(self, request: Request) -> Response:
        return Response(document.document_bytes(), content_type="application/json")

    @http("GET", "/docs")
    def get_docs(self, request: Request) -> Response:
        headers = {"Content-Security-Policy": document.docs_policy()}
        page = document.docs_page()
        return Response(page, headers=headers, content_type="text/html; charset=utf-8")


def health(status: int, body: str | bytes) -> Response:
    return Response(body, status, {"Cache-Control": "no-store"}, content_type=HEALTH_CONTENT_TYPE)
