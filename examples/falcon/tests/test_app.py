"""What is Falcon's own: resources, hooks, the router, the middleware, errors."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import falcon
import httpx
import pytest
from falcon import Request, Response, testing
from falcon.inspect import inspect_app

from stock_keeper.app import create_app
from stock_keeper.runtime.service import Service
from stock_keeper.settings import Settings

PROBLEM = "application/problem+json"


class Guard:
    """An access check as the README shows it."""

    def process_request(self, req: Request, resp: Response) -> None:
        if req.get_header("Authorization") is None:
            raise falcon.HTTPUnauthorized(description="Sign in first.", challenges=["Bearer"])


class Machine:
    """A resource that uses what Falcon has."""

    def on_get(self, req: Request, resp: Response, number: int) -> None:
        """Ask a machine."""
        resp.media = {"number": number}

    def on_post(self, req: Request, resp: Response, number: int) -> None:
        raise falcon.HTTPTooManyRequests(
            title="Too hot", description="Let it cool.", headers={"Retry-After": "9"}, code=7
        )

    def on_put(self, req: Request, resp: Response, number: int) -> None:
        resp.media = {"number": object()}


@pytest.fixture
def app(settings: Settings, database: object) -> Iterator[Service]:
    app = create_app(settings)
    app.add_route("/v1/machines/{number:int}", Machine())
    yield app
    app.database.close()


@pytest.fixture
def falcon_client(app: Service) -> testing.TestClient:
    return testing.TestClient(app)


def test_an_access_check_runs_before_everything_but_the_probes(
    app: Service, falcon_client: testing.TestClient
) -> None:
    app.add_middleware(Guard())
    for method, path in (("GET", "/v1/products"), ("POST", "/v1/products"), ("GET", "/none")):
        refused = falcon_client.simulate_request(method, path, body="{")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert refused.json["detail"] == "Sign in first."
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert falcon_client.simulate_get(path).status_code == 200
    known = {"Authorization": "Bearer it"}
    assert falcon_client.simulate_get("/v1/products", headers=known).status_code == 200


def test_a_check_that_nothing_awaits_is_an_error(app: Service) -> None:
    class Asynchronous:
        async def process_request(self, req: Request, resp: Response) -> None:
            raise falcon.HTTPUnauthorized

    async def check(req: Request, resp: Response, resource: object, params: object) -> None:
        raise falcon.HTTPUnauthorized

    class Hooked:
        @falcon.before(check)  # type: ignore[arg-type]
        def on_get(self, req: Request, resp: Response) -> None:
            """Never reached."""

    with pytest.raises(falcon.CompatibilityError):
        app.add_middleware(Asynchronous())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="nothing awaits"):
        app.add_route("/v1/hooked", Hooked())


def test_a_hook_runs_and_the_document_still_knows_the_responder(
    app: Service, falcon_client: testing.TestClient
) -> None:
    def check(req: Request, resp: Response, resource: object, params: dict[str, Any]) -> None:
        if "X-Caller" not in req.headers and "X-CALLER" not in req.headers:
            raise falcon.HTTPForbidden(description="Say who you are.")

    @falcon.before(check)
    class Report:
        def on_get(self, req: Request, resp: Response) -> None:
            """Summarise the stock."""
            resp.media = {}

    app.add_route("/v1/report", Report())
    refused = falcon_client.simulate_get("/v1/report")
    assert (refused.status_code, refused.json["detail"]) == (403, "Say who you are.")
    assert falcon_client.simulate_get("/v1/report", headers={"X-Caller": "me"}).status_code == 200
    paths = falcon_client.simulate_get("/openapi.json").json["paths"]
    assert paths["/v1/report"]["get"]["operationId"] == "getReport"
    assert paths["/v1/report"]["get"]["summary"] == "Summarise the stock."


def test_an_error_of_falcon_keeps_what_it_says(falcon_client: testing.TestClient) -> None:
    refused = falcon_client.simulate_post("/v1/machines/3")
    assert (refused.status_code, refused.headers["Content-Type"]) == (429, PROBLEM)
    assert refused.headers["Retry-After"] == "9"
    said = refused.json
    assert (said["title"], said["detail"], said["code"]) == ("Too hot", "Let it cool.", 7)


def test_an_error_handler_of_ones_own_is_used(
    app: Service, falcon_client: testing.TestClient
) -> None:
    def handle(req: Request, resp: Response, error: Exception, params: dict[str, Any]) -> None:
        raise falcon.HTTPServiceUnavailable(description="It rests.")

    app.add_error_handler(TypeError, handle)
    answer = falcon_client.simulate_put("/v1/machines/3")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, PROBLEM)
    assert answer.json["detail"] == "It rests."


def test_what_cannot_be_written_as_json_is_an_internal_error(
    falcon_client: testing.TestClient,
) -> None:
    answer = falcon_client.simulate_put("/v1/machines/3")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert answer.json["status"] == 500


def test_a_converter_is_left_out_of_metrics_and_document(
    falcon_client: testing.TestClient,
) -> None:
    assert falcon_client.simulate_get("/v1/machines/3").json == {"number": 3}
    assert 'http_route="/v1/machines/{number}"' in falcon_client.simulate_get("/metrics").text
    assert "/v1/machines/{number}" in falcon_client.simulate_get("/openapi.json").json["paths"]


def test_cors_holds_for_what_is_rejected_before_falcon(
    app: Service, falcon_client: testing.TestClient
) -> None:
    app.add_middleware(falcon.CORSMiddleware(allow_origins="https://shop.example"))
    origin = {"Origin": "https://shop.example"}
    for sent, status in (({"body": " " * 1_048_577}, 413), ({"params": {"q": "x" * 33_000}}, 431)):
        answer = falcon_client.simulate_post("/v1/products", headers=origin, **sent)  # type: ignore[arg-type]
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]


def test_the_application_can_be_inspected(app: Service) -> None:
    text = inspect_app(app).to_string()
    assert "/v1/products/{product_id}" in text
    assert "on_patch" in inspect_app(app).to_string(verbose=True)


def test_a_method_that_nobody_has_heard_of_is_refused(client: httpx.Client) -> None:
    for path in ("/v1/products", f"/v1/products/{uuid4()}", "/livez"):
        refused = client.request("FOO", path)
        assert refused.status_code == 405
        assert {"GET", "HEAD", "OPTIONS"} <= set(refused.headers["Allow"].split(", "))


def test_head_is_there_wherever_get_is(client: httpx.Client) -> None:
    for path in ("/v1/products", "/livez", "/readyz", "/openapi.json", "/docs"):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize("path", ["/v1/products/", "/v1/products//", f"/v1/products/{uuid4()}/"])
def test_a_slash_too_many_leads_nowhere(client: httpx.Client, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "PATCH"):
        assert client.request(method, path).status_code == 404
