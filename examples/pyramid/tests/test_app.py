"""What is Pyramid's own: routes and views, exceptions, tweens, subscribers, unit tests of views."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
import samples
from pyramid import testing
from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.httpexceptions import (
    HTTPBadRequest,
    HTTPConflict,
    HTTPFound,
    HTTPNotFound,
    HTTPTooManyRequests,
)
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from stock_keeper.app import create_app
from stock_keeper.products.routes import create_product, list_products
from stock_keeper.runtime.service import configure
from stock_keeper.settings import Settings

PROBLEM = "application/problem+json"


class HotMachine(HTTPConflict):
    title = "Too hot"
    explanation = "Let it cool."


@view_config(route_name="machine", request_method="GET", renderer="json")
def get_machine(request: Request) -> Any:
    """Ask a machine."""
    errors: dict[str, Any] = {
        "busy": HTTPTooManyRequests("It is in use.", headers=[("Retry-After", "9")]),
        "hot": HotMachine(),
        "moved": HTTPFound(location="/v1/products"),
        "odd": HTTPBadRequest(json={"own": "body"}),
    }
    name = request.matchdict["name"]
    if name == "returned":
        return HTTPNotFound("There is no such machine.")
    if name in errors:
        raise errors[name]
    return {"name": name}


def tween_factory(handler: Callable[[Request], Response], registry: Registry) -> Any:
    def tween(request: Request) -> Response:
        if "X-Banned" in request.headers:
            raise HTTPBadRequest("You are banned.")
        response = handler(request)
        response.headers["X-Tween"] = "here"
        return response

    return tween


def add_cors(event: Any) -> None:
    def add(request: Request, response: Response) -> None:
        response.headers["Access-Control-Allow-Origin"] = "https://shop.example"

    event.request.add_response_callback(add)


def includeme(config: Configurator) -> None:
    config.add_route("machine", r"/v1/machines/{name:[a-z]{1,9}}")
    config.add_resource("order", "/v1/orders", POST=get_machine)
    config.add_tween(f"{__name__}.tween_factory")
    config.add_subscriber(add_cors, NewRequest)
    config.scan(__name__)


@pytest.fixture
def other(settings: Settings) -> Iterator[httpx.Client]:
    config = configure(settings)
    config.include(includeme)
    app = config.make_wsgi_app()
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://test") as client:
        yield client
    app.database.close()


@pytest.mark.parametrize(
    ("name", "status", "title", "detail"),
    [
        ("busy", 429, "Too Many Requests", "It is in use."),
        ("hot", 409, "Too hot", "Let it cool."),
        ("returned", 404, "Not Found", "There is no such machine."),
    ],
)
def test_an_error_of_pyramid_keeps_what_it_says(
    other: httpx.Client, name: str, status: int, title: str, detail: str
) -> None:
    refused = other.get(f"/v1/machines/{name}")
    assert (refused.status_code, refused.headers["Content-Type"]) == (status, PROBLEM)
    assert (refused.json()["title"], refused.json()["detail"]) == (title, detail)
    assert refused.headers.get("Retry-After") == ("9" if name == "busy" else None)


def test_a_redirect_and_a_body_of_ones_own_stay_as_they_are(other: httpx.Client) -> None:
    moved = other.get("/v1/machines/moved")
    assert (moved.status_code, moved.headers["Location"]) == (302, "/v1/products")
    assert other.get("/v1/machines/odd").json() == {"own": "body"}


def test_what_pyramid_itself_says_tells_nothing_of_the_inside(other: httpx.Client) -> None:
    for path in ("/none", "/v1/machines/0"):
        assert "view" not in other.get(path).json()["detail"]
        assert path not in other.get(path).json()["detail"]


def test_tweens_and_subscribers_see_what_is_rejected_before_pyramid(other: httpx.Client) -> None:
    for sent, status in (
        ({"content": b" " * 1_048_577}, 413),
        ({"params": {"q": "x" * 33_000}}, 431),
    ):
        answer = other.post("/v1/orders", **sent)  # type: ignore[arg-type]
        assert (answer.status_code, answer.headers["X-Tween"]) == (status, "here")
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"


def test_a_tween_may_raise(other: httpx.Client) -> None:
    refused = other.get("/none", headers={"X-Banned": "yes"})
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, PROBLEM)
    assert refused.json()["detail"] == "You are banned."


def test_every_route_tells_its_methods(other: httpx.Client) -> None:
    for path, allowed in (
        ("/v1/orders", "OPTIONS, POST"),
        ("/v1/machines/a", "GET, HEAD, OPTIONS"),
    ):
        told, refused = other.options(path), other.delete(path)
        assert (told.status_code, told.headers["Allow"]) == (204, allowed)
        assert (refused.status_code, refused.headers["Allow"]) == (405, allowed)


def test_a_route_with_an_expression_is_named_without_it(other: httpx.Client) -> None:
    other.get("/v1/machines/a")
    assert 'http_route="/v1/machines/{name}"' in other.get("/metrics").text
    described = other.get("/openapi.json").json()["paths"]["/v1/machines/{name}"]["get"]
    assert (described["operationId"], described["summary"]) == ("getMachine", "Ask a machine.")


def test_a_view_can_be_called_by_a_test(settings: Settings, client: httpx.Client) -> None:
    app = create_app(settings)
    with testing.testConfig(registry=app.registry):
        request = testing.DummyRequest(
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps(samples.product_content(client)).encode(),
        )
        created = create_product(request)
        assert created.status_code == 201
        listed = list_products(testing.DummyRequest(query_string=""))
        assert listed.json_body["products"] == [created.json_body]
    app.database.close()


def test_a_subscriber_that_nothing_awaits_is_an_error(settings: Settings) -> None:
    async def check(event: Any) -> None:
        raise HTTPBadRequest

    config = configure(settings)
    config.add_subscriber(check, NewRequest)
    with pytest.raises(Exception, match="nothing awaits"):
        config.make_wsgi_app()


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
                "PATH_INFO": "/v1/products",
                "wsgi.input": NoBody(),
                "wsgi.input_terminated": True,
            },
            "400",
        ),
        ({"HTTP_X_VHM_ROOT": "/elsewhere"}, "200"),
        ({"HTTP_X_VHM_ROOT": "/\xff"}, "200"),
        ({"PATH_INFO": "/v1/products\n"}, "404"),
        ({"PATH_INFO": "/\xff"}, "404"),
    ],
)
def test_what_a_server_passes_on_is_taken_as_it_is(
    settings: Settings, database: object, changed: dict[str, Any], status: str
) -> None:
    environ: dict[str, Any] = {"PATH_INFO": "/v1/products"} | changed
    setup_testing_defaults(environ)
    said: list[str] = []
    app = create_app(settings)
    app(environ, lambda line, *_: said.append(line))
    assert said[0].startswith(status)
    app.database.close()


def test_an_address_stays_relative(client: httpx.Client) -> None:
    assert (
        client.post("/v1/products", json=samples.product_content(client))
        .headers["Location"]
        .startswith("/v1/products/")
    )


def test_a_method_is_refused_wherever_the_id_is_known_or_not(client: httpx.Client) -> None:
    refused = client.request("FOO", f"/v1/products/{uuid4()}")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
