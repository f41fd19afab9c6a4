"""Who may do what."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
import samples
from pyramid.httpexceptions import HTTPUnauthorized
from pyramid.request import Request
from pyramid.security import Allowed, Denied

from stock_keeper import app
from stock_keeper.runtime.service import configure
from stock_keeper.security import Anyone
from stock_keeper.settings import Settings

ClientOf = Callable[[Settings], AbstractContextManager[httpx.Client]]
PROBLEM = "application/problem+json"


class Readers(Anyone):
    """Clients that say who they are may read, and the owner may write too."""

    def permits(self, request: Request, context: Any, permission: str) -> Allowed | Denied:
        client = self.identity(request)
        if client is None:
            raise HTTPUnauthorized("Sign in first.", headers=[("WWW-Authenticate", "Bearer")])
        if permission == "read" or client == "owner":
            return Allowed("This one may.")
        return Denied("You may only read.")

    def identity(self, request: Request) -> Any:
        return request.headers.get("X-Caller")


@pytest.fixture
def guarded(
    settings: Settings, database: object, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr(app, "Anyone", Readers)
    with client_of(settings) as client:
        yield client


def test_the_policy_is_asked_for_each_view_of_a_resource(guarded: httpx.Client) -> None:
    for caller, reading, writing in ((None, 401, 401), ("guest", 200, 403), ("owner", 200, 201)):
        headers = {"X-Caller": caller} if caller else {}
        assert guarded.get("/v1/products", headers=headers).status_code == reading
        written = guarded.post(
            "/v1/products", headers=headers, json=samples.product_content(guarded)
        )
        assert written.status_code == writing
        if writing != 201:
            assert written.headers["Content-Type"] == PROBLEM
            assert written.json()["status"] == writing


def test_a_refusal_says_why_and_is_decided_before_the_body_is_read(guarded: httpx.Client) -> None:
    refused = guarded.post("/v1/products", content=b"{")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.json()["detail"] == "Sign in first."
    denied = guarded.post("/v1/products", content=b"{", headers={"X-Caller": "guest"})
    assert (denied.status_code, denied.json()["detail"]) == (403, "You may only read.")


def test_what_is_denied_is_not_done(guarded: httpx.Client) -> None:
    owner, guest = {"X-Caller": "owner"}, {"X-Caller": "guest"}
    content = samples.product_content(guarded)
    created = guarded.post("/v1/products", headers=owner, json=content)
    url = created.headers["Location"]
    assert guarded.delete(url, headers=guest).status_code == 403
    assert guarded.put(url, headers=guest, json=content).status_code == 403
    assert guarded.patch(url, headers=guest, json=content).status_code == 403
    assert guarded.get(url, headers=guest).json() == created.json()


def test_probes_metrics_and_the_document_ask_nobody(guarded: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert guarded.get(path).status_code == 200


def test_every_view_of_the_api_has_a_permission(settings: Settings) -> None:
    registry = app.create_app(settings).registry
    views = [one["introspectable"] for one in registry.introspector.get_category("views")]
    assert [view["route_name"] for view in views if view["route_name"]] != []
    for view in views:
        if view["route_name"]:
            assert view["derived_callable"].__permission__ in ("read", "write")


def test_a_policy_that_nothing_awaits_is_an_error(settings: Settings) -> None:
    class Asynchronous(Anyone):
        async def permits(self, request: Request, context: Any, permission: str) -> Any:
            return Denied("Nobody may.")

    config = configure(settings)
    config.set_security_policy(Asynchronous())
    with pytest.raises(Exception, match="nothing awaits"):
        config.make_wsgi_app()


def test_anyone_may_by_default(client: httpx.Client) -> None:
    assert client.post("/v1/products", json=samples.product_content(client)).status_code == 201
