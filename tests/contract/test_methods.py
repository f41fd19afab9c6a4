"""R4: HEAD and OPTIONS everywhere, 405 with Allow, and never a redirect."""

from __future__ import annotations

import httpx
import pytest

from tests.contract.items import ITEMS, UNKNOWN_ID, assert_problem, create
from tests.contract.wire import exchange, exchange_or_close, request
from tests.services import Service

pytestmark = [pytest.mark.contract("R4"), pytest.mark.any_database]

READ_ONLY = {"GET", "HEAD", "OPTIONS"}
ALLOWED = {
    "/livez": READ_ONLY,
    "/readyz": READ_ONLY,
    "/metrics": READ_ONLY,
    "/openapi.json": READ_ONLY,
    "/docs": READ_ONLY,
    ITEMS: READ_ONLY | {"POST"},
    "item": READ_ONLY | {"PUT", "PATCH", "DELETE"},
}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"}

# What is new with each answer; everything else a HEAD tells has to be what a GET tells.
OF_THE_MOMENT = {"date", "x-request-id", "traceparent", "connection", "keep-alive"}


@pytest.fixture(params=ALLOWED)
def route(request: pytest.FixtureRequest, service: Service) -> tuple[str, set[str]]:
    """A path of each route, with the methods that it allows."""
    if request.param == "item":
        return create(service.http).headers["location"], ALLOWED["item"]
    return request.param, ALLOWED[request.param]


def allowed(answer: httpx.Response) -> set[str]:
    return {method.strip() for method in answer.headers["allow"].split(",")}


def lasting(answer: httpx.Response, path: str) -> dict[str, str]:
    """The headers that do not change from one answer to the next."""
    changing = OF_THE_MOMENT | ({"content-length"} if path == "/metrics" else set())
    return {name: value for name, value in answer.headers.items() if name not in changing}


def test_head_tells_what_get_tells_without_the_body(
    service: Service, route: tuple[str, set[str]]
) -> None:
    path, _methods = route
    got, head = (exchange(service.address, method, path) for method in ("GET", "HEAD"))
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    assert lasting(head, path) == lasting(got, path)
    assert int(got.headers["content-length"]) == len(got.content)


def test_head_of_a_page_has_its_link(service: Service) -> None:
    create(service.http)
    create(service.http)
    path = f"{ITEMS}?limit=1"
    got, head = (exchange(service.address, method, path) for method in ("GET", "HEAD"))
    assert got.headers["link"] == head.headers["link"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), (f"{ITEMS}/{UNKNOWN_ID}", 404), (f"{ITEMS}?limit=0", 422)],
)
def test_head_of_an_error_tells_what_get_tells(service: Service, path: str, status: int) -> None:
    got, head = (exchange(service.address, method, path) for method in ("GET", "HEAD"))
    assert got.status_code == head.status_code == status
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


def test_a_connection_is_in_step_after_head(service: Service) -> None:
    """A body sent after HEAD would be read as the next answer."""
    for path in (ITEMS, "/nowhere", "/livez"):
        assert service.http.head(path).content == b""
        assert service.http.get("/livez").json() == {"status": "pass"}


def test_options_lists_what_is_allowed(service: Service, route: tuple[str, set[str]]) -> None:
    path, methods = route
    answer = service.http.options(path)
    assert answer.status_code == 204
    assert answer.content == b""
    assert allowed(answer) == methods


def test_any_other_method_is_refused_with_what_is_allowed(
    service: Service, route: tuple[str, set[str]]
) -> None:
    path, methods = route
    for method in sorted(METHODS - methods):
        answer = exchange(service.address, method, path)
        assert_problem(answer, 405, path)
        assert allowed(answer) == methods, method


@pytest.mark.parametrize("method", ["PROPFIND", "FOO", "get", "M-SEARCH", "X" * 40])
def test_an_unheard_of_method_is_refused(service: Service, method: str) -> None:
    answer = exchange_or_close(service.address, request(method, ITEMS))
    assert answer is not None
    assert answer.status_code in {400, 405}
    if answer.status_code == 405:
        assert_problem(answer, 405, ITEMS)
        assert allowed(answer) == ALLOWED[ITEMS]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/items/",
        "/v1//items",
        "//v1/items",
        "/v1/items//",
        "/v1",
        "/v1/",
        "/",
        "/V1/ITEMS",
        "/v1/items.json",
        "/livez/",
        "/readyz/",
        "/metrics/",
        "/docs/",
        "/openapi.json/",
        "/v2/items",
        "/v1/items/./",
        "/v1/./items",
        "/v1/x/../items",
        "/livezz",
        "/static/x",
    ],
)
def test_nothing_but_the_exact_path_is_found(service: Service, method: str, path: str) -> None:
    answer = exchange(service.address, method, path)
    assert answer.status_code == 404, answer.headers
    assert "location" not in answer.headers
    if method != "HEAD":
        assert_problem(answer, 404)


def test_an_item_with_a_slash_behind_it_is_not_found(service: Service) -> None:
    path = create(service.http).headers["location"]
    for variant in (f"{path}/", path.replace("/items/", "/items//"), f"{path}/x"):
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            assert_problem(exchange(service.address, method, variant), 404)
    assert service.http.get(path).status_code == 200


def test_a_plain_request_for_the_stream_is_not_found(service: Service) -> None:
    assert_problem(service.http.get("/v1/items/stream"), 404, "/v1/items/stream")
