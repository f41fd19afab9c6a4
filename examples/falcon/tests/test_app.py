"""What is Falcon's own: resources, the router, the middleware."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import falcon
import httpx
import pytest

from stock_keeper.app import RouteNames, Router, answer_error
from stock_keeper.items import routes as items
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.settings import Settings
from stock_keeper.runtime.wsgi import Edge


class Guard:
    """A check of who may call, as the README shows it."""

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: object, params: dict[str, Any]
    ) -> None:
        if req.get_header("X-Caller") is None:
            raise Problem(401, "Say who you are.")


@pytest.fixture
def guarded(settings: Settings, database: Database) -> Iterator[httpx.Client]:
    app = falcon.App(middleware=[RouteNames(), Guard()], router=Router())
    app.add_error_handler(Exception, answer_error)
    items.add_routes(app, database)
    transport = httpx.WSGITransport(Edge(app, settings))
    with httpx.Client(transport=transport, base_url="http://test") as client:
        yield client


def test_the_middleware_decides_who_gets_in(guarded: httpx.Client) -> None:
    refused = guarded.get("/v1/items")
    assert refused.status_code == 401
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert guarded.get("/v1/items", headers={"X-Caller": "me"}).status_code == 200


def test_a_method_that_nobody_has_heard_of_is_refused(client: httpx.Client) -> None:
    for path in ("/v1/items", f"/v1/items/{uuid4()}", "/livez"):
        refused = client.request("FOO", path)
        assert refused.status_code == 405
        assert {"GET", "HEAD", "OPTIONS"} <= set(refused.headers["Allow"].split(", "))


def test_head_is_there_wherever_get_is(client: httpx.Client) -> None:
    for path in ("/v1/items", "/livez", "/readyz", "/openapi.json", "/docs"):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize("path", ["/v1/items/", "/v1/items//", f"/v1/items/{uuid4()}/"])
def test_a_slash_too_many_leads_nowhere(client: httpx.Client, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "PATCH"):
        assert client.request(method, path).status_code == 404
