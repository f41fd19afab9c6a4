"""Who may do what, and what a caller cannot make Pyramid do."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from pyramid.request import Request
from pyramid.security import Allowed, Denied

from stock_keeper.app import create_app
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.settings import Settings
from stock_keeper.security import Anyone

ITEM = {"name": "bolt"}


class Readers(Anyone):
    """Whoever says who they are may read, and the owner may write too."""

    def permits(self, request: Request, context: Any, permission: str) -> Allowed | Denied:
        if self.identity(request) is None:
            raise Problem(401, "Say who you are.")
        if permission == "read" or self.identity(request) == "owner":
            return Allowed("This one may.")
        return Denied("This one may not.")

    def identity(self, request: Request) -> Any:
        return request.headers.get("X-Caller")


@pytest.fixture
def guarded(settings: Settings, database: Database) -> Iterator[httpx.Client]:
    transport = httpx.WSGITransport(create_app(settings, database, Readers()))
    with httpx.Client(transport=transport, base_url="http://test") as client:
        yield client


def test_the_policy_is_asked_for_each_view_of_a_resource(guarded: httpx.Client) -> None:
    for caller, reading, writing in ((None, 401, 401), ("guest", 200, 403), ("owner", 200, 201)):
        headers = {"X-Caller": caller} if caller else {}
        assert guarded.get("/v1/items", headers=headers).status_code == reading
        written = guarded.post("/v1/items", headers=headers, json=ITEM)
        assert written.status_code == writing
        if writing != 201:
            assert written.headers["Content-Type"] == "application/problem+json"
            assert written.json()["status"] == writing


def test_what_is_denied_is_not_done(guarded: httpx.Client) -> None:
    owner, guest = {"X-Caller": "owner"}, {"X-Caller": "guest"}
    url = guarded.post("/v1/items", headers=owner, json=ITEM).headers["Location"]
    assert guarded.delete(url, headers=guest).status_code == 403
    assert guarded.put(url, headers=guest, json={"name": "nut"}).status_code == 403
    assert guarded.get(url, headers=guest).json()["name"] == "bolt"


def test_probes_metrics_and_the_document_ask_nobody(guarded: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert guarded.get(path).status_code == 200


def test_anyone_may_by_default(client: httpx.Client) -> None:
    assert client.post("/v1/items", json=ITEM).status_code == 201


class NoBody:
    """What granian gives where there is no body."""

    def read(self, size: int = -1) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": "/v1/items",
                "wsgi.input": NoBody(),
                "wsgi.input_terminated": True,
            },
            "400",
        ),
        ({"HTTP_X_VHM_ROOT": "/elsewhere"}, "200"),
        ({"HTTP_X_VHM_ROOT": "/\xff"}, "200"),
        ({"PATH_INFO": "/livez\n"}, "404"),
        ({"PATH_INFO": "/\xff"}, "404"),
    ],
)
def test_what_a_server_passes_on_is_taken_as_it_is(
    settings: Settings, database: Database, changed: dict[str, Any], status: str
) -> None:
    environ: dict[str, Any] = {"PATH_INFO": "/livez"} | changed
    setup_testing_defaults(environ)
    said: list[str] = []
    create_app(settings, database)(environ, lambda line, *_: said.append(line))
    assert said[0].startswith(status)


def test_an_address_stays_relative(client: httpx.Client) -> None:
    assert client.post("/v1/items", json=ITEM).headers["Location"].startswith("/v1/items/")


def test_a_method_is_refused_wherever_the_item_is_known_or_not(client: httpx.Client) -> None:
    refused = client.request("FOO", f"/v1/items/{uuid4()}")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"
