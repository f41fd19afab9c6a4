"""What operators and callers ask of every service: probes, metrics and the API's document."""

from django.http import HttpResponse
from rest_framework.request import Request

from .runtime import document, telemetry
from .runtime.database import Database
from .runtime.http import HEALTH_CONTENT_TYPE, health_report
from .runtime.server import draining
from .runtime.views import Endpoint


class Open(Endpoint):
    """Answers everybody, whatever check `settings` names for the rest."""

    authentication_classes = ()
    permission_classes = ()


class Liveness(Open):
    def get(self, request: Request) -> HttpResponse:
        return answer_health(200, b'{"status": "pass"}')


class Readiness(Open):
    def get(self, request: Request) -> HttpResponse:
        return answer_health(*health_report(Database.checks(), draining.is_set()))


class Metrics(Open):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(telemetry.metrics(), content_type=telemetry.METRICS_CONTENT_TYPE)


class Document(Open):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(document.document_bytes(), content_type="application/json")


class Docs(Open):
    def get(self, request: Request) -> HttpResponse:
        headers = {"Content-Security-Policy": document.docs_policy()}
        return HttpResponse(document.docs_page(), headers=headers)


def answer_health(status: int, report: bytes) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(report, HEALTH_CONTENT_TYPE, status, headers=headers)
