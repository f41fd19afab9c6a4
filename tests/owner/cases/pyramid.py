"""What owners of a Pyramid service do."""

from __future__ import annotations

import httpx

from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced
from tests.owner.cases.flask import SETTING, ask_of_a_setting, ask_of_a_transaction
from tests.owner.cases.growth import growth
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import (
    ask_of_an_unread_body,
    ask_of_rooms_and_bookings,
    ask_of_work_beside_requests,
)

FIRST = '    config.include(".items.routes")\n'


def added(*lines: str) -> Edit:
    """An edit of `app.py`: lines in `create_app` after the one of items."""
    return replaced((FIRST, FIRST + "".join(f"    {line}\n" for line in lines)))


ROOMS_AND_BOOKINGS = models() | {
    "{package}/rooms/routes.py": copied("room", "rooms"),
    "{package}/bookings/routes.py": copied("booking", "bookings"),
    "{package}/app.py": added(
        'config.include(".rooms.routes")', 'config.include(".bookings.routes")'
    ),
}

PERMITS = """\
        caller = request.headers.get("Authorization")
        if caller is None:
            challenge = [("WWW-Authenticate", 'Bearer realm="x"')]
            raise HTTPUnauthorized("Sign in first.", headers=challenge)
        if permission == "read" or caller == "Bearer owner":
            return Allowed("This one may.")
        return Denied("You may only read.")
"""

POLICY = replaced(
    (
        "from pyramid.request import Request\n",
        "from pyramid.httpexceptions import HTTPUnauthorized\n"
        "from pyramid.request import Request\n",
    ),
    ('        return Allowed("Anyone may.")\n', PERMITS),
)

REPORT = '''\
"""A report, by the decorators of Pyramid."""

from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.view import view_config, view_defaults

from .runtime.operations import operation


def includeme(config: Configurator) -> None:
    config.add_route("report", "/v1/report")
    config.add_resource("order", "/v1/orders", POST=create_order)
    config.scan(__name__)


@view_defaults(route_name="report", renderer="json")
class Report:
    def __init__(self, request: Request) -> None:
        self.request = request

    @view_config(request_method="GET", permission="read")
    @operation(problems=(403,))
    def get(self) -> dict[str, Any]:
        """Summarise the stock."""
        return {"items": 0}

    @view_config(request_method="DELETE")
    def delete(self) -> dict[str, Any]:
        """Forget the report."""
        return {}


def create_order(request: Request) -> dict[str, Any]:
    """Order something."""
    return {}
'''


def ask_of_a_policy(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200, path
    json = {"Content-Type": "application/json"}
    guest, owner = ({"Authorization": f"Bearer {who}"} for who in ("guest", "owner"))
    for method, path, body in (
        ("GET", "/v1/items", b""),
        ("POST", "/v1/items", b'{"name": 7, "x": 1}'),
        ("POST", "/v1/items", b"{"),
        ("PUT", "/v1/items/7", b""),
        ("PATCH", "/v1/items/7", b""),
        ("DELETE", "/v1/items/7", b""),
        ("GET", "/v1/report", b""),
        ("DELETE", "/v1/report", b""),
        ("POST", "/v1/orders", b""),
    ):
        answer = client.request(method, path, content=body, headers=json)
        assert assert_problem(answer, 401)["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
        allowed = client.request(method, path, content=body, headers=json | owner)
        assert allowed.status_code not in (401, 403)
        if method == "GET":
            assert client.get(path, headers=guest).status_code == 200
        else:
            denied = client.request(method, path, content=body, headers=json | guest)
            assert assert_problem(denied, 403)["detail"] == "You may only read."
    options = client.options("/v1/orders")
    assert (options.status_code, options.headers["Allow"]) == (204, "OPTIONS, POST")
    refused = client.patch("/v1/report", headers=owner)
    assert_problem(refused, 405)
    assert refused.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS"
    described = client.get("/openapi.json").json()["paths"]["/v1/report"]
    assert described["get"]["summary"] == "Summarise the stock."
    assert described["get"]["operationId"] == "getReport"
    assert "403" in described["get"]["responses"]
    assert described["delete"]["operationId"] == "deleteReport"
    ask_of_an_unread_body(client)


FORGOTTEN = '''\
"""Checks that are coroutines, which nothing would await."""

from typing import Any

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.exceptions import ConfigurationError
from pyramid.httpexceptions import HTTPForbidden
from pyramid.request import Request
from pyramid.security import Denied

from .runtime.service import configure
from .security import Anyone
from .settings import Settings


class Policy(Anyone):
    async def permits(self, request: Request, context: Any, permission: str) -> Any:
        return Denied("Nobody may.")


class Identity(Anyone):
    async def identity(self, request: Request) -> Any:
        return None


async def check(event: NewRequest) -> None:
    raise HTTPForbidden


async def view(request: Request) -> dict[str, Any]:
    return {}


def includeme(config: Configurator) -> None:
    config.add_resource("rejected", "/v1/rejected", GET=get_rejected)


def get_rejected(request: Request) -> list[str]:
    """What was rejected when an application was created."""
    found = []
    for change in (
        lambda config: config.set_security_policy(Policy()),
        lambda config: config.set_security_policy(Identity()),
        lambda config: config.add_subscriber(check, NewRequest),
        lambda config: config.add_resource("view", "/v1/view", GET=view),
    ):
        config = configure(Settings())
        change(config)
        try:
            config.make_wsgi_app()
        except ConfigurationError as error:
            found.append(str(error))
    return found
'''


def ask_of_coroutines(client: httpx.Client) -> None:
    """Each is an error when the application is created: it is never a check that lets pass."""
    rejected = client.get("/v1/rejected").json()
    assert len(rejected) == 4
    assert all("nothing awaits it" in error for error in rejected)


ERRORS = '''\
"""The framework's own errors, and what else an owner raises."""

from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import (
    HTTPClientError,
    HTTPConflict,
    HTTPForbidden,
    HTTPFound,
    HTTPNotFound,
    HTTPServiceUnavailable,
    HTTPTooManyRequests,
    HTTPUnauthorized,
    status_map,
)
from pyramid.request import Request
from pyramid.response import Response

from .runtime.http import Problem


class Teapot(HTTPClientError):
    code = 418
    title = "I am a teapot"
    explanation = "There is no coffee."


NAMED: dict[str, Exception] = {
    "plain": HTTPForbidden(),
    "titled": Teapot(),
    "unauthorized": HTTPUnauthorized(
        "who are you",
        headers=[("WWW-Authenticate", 'Bearer realm="x"'), ("WWW-Authenticate", "Basic")],
    ),
    "slow": HTTPTooManyRequests("not so fast", headers=[("Retry-After", "7")]),
    "closed": HTTPServiceUnavailable("closed for lunch", headers={"Retry-After": "60"}),
    "gone": KeyError("secret name"),
    "elsewhere": HTTPFound("/v1/items"),
    "broken": RuntimeError("secret words"),
    "own": HTTPConflict(json={"own": "body"}),
}


def includeme(config: Configurator) -> None:
    config.add_resource("refusal", r"/e/{status:[0-9]{3}}", GET=refuse)
    config.add_resource("named", "/named/{name}", GET=raise_named)
    config.add_exception_view(answer_key_error, context=KeyError)


def refuse(request: Request) -> Any:
    status = int(request.matchdict["status"])
    raise status_map[status](f"because of {status}")


def raise_named(request: Request) -> Any:
    if request.matchdict["name"] == "returned":
        return HTTPNotFound("no such wheel")
    if request.matchdict["name"] == "unwritable":
        return {"at": object()}
    raise NAMED[request.matchdict["name"]]


def answer_key_error(error: KeyError, request: Request) -> Response:
    raise Problem(410, "It was here once.")
'''


def ask_of_errors(client: httpx.Client) -> None:
    for status in (400, 403, 404, 409, 410, 422):
        answer = client.get(f"/e/{status}")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["detail"]) == (status, f"because of {status}")
    assert 'http_route="/e/{status}"' in client.get("/metrics").text
    assert "/e/{status}" in client.get("/openapi.json").json()["paths"]
    assert_problem(client.get("/named/plain"), 403)
    titled = client.get("/named/titled").json()
    assert (titled["status"], titled["title"]) == (418, "I am a teapot")
    assert titled["detail"] == "There is no coffee."
    unauthorized = client.get("/named/unauthorized")
    assert assert_problem(unauthorized, 401)["detail"] == "who are you"
    challenges = unauthorized.headers.get_list("WWW-Authenticate")
    assert challenges == ['Bearer realm="x"', "Basic"]
    slow = client.get("/named/slow")
    assert assert_problem(slow, 429)["detail"] == "not so fast"
    assert slow.headers["Retry-After"] == "7"
    closed = client.get("/named/closed")
    assert assert_problem(closed, 503)["detail"] == "closed for lunch"
    assert closed.headers["Retry-After"] == "60"
    assert assert_problem(client.get("/named/returned"), 404)["detail"] == "no such wheel"
    assert assert_problem(client.get("/named/gone"), 410)["detail"] == "It was here once."
    for broken in ("broken", "unwritable"):
        assert_problem(client.get(f"/named/{broken}"), 500)
        assert "secret" not in client.get(f"/named/{broken}").text
    elsewhere = client.get("/named/elsewhere")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/v1/items")
    own = client.get("/named/own")
    assert (own.status_code, own.json()) == (409, {"own": "body"})
    for path in ("/v1/nothing", "/e/x"):
        unknown = assert_problem(client.get(path), 404)
        assert path not in unknown["detail"]


GREETING = '''\
"""A greeting from the settings."""

from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request

from .runtime.service import service


def includeme(config: Configurator) -> None:
    config.add_resource("greeting", "/v1/greeting", GET=get_greeting)


def get_greeting(request: Request) -> dict[str, Any]:
    """Greet."""
    return {"greeting": service(request).settings.greeting}
'''

TRANSFER = '''\
"""Two items changed together, or neither."""

from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request

from .items.model import ITEMS, ItemContent
from .runtime.service import database
from .runtime.store import Store


def includeme(config: Configurator) -> None:
    config.add_resource("transfer", "/v1/transfer", POST=transfer)


def transfer(request: Request) -> dict[str, Any]:
    """Move a quantity from a new item to another one."""
    sent = request.json_body
    items = Store(ITEMS, database(request))
    with database(request).writing(seconds=20):
        made = items.create(ItemContent(name=sent["from"], quantity=5))
        items.patch(made.id, {"quantity": 2}, frozenset({made.revision}))
        seen = items.get(made.id)
        items.create(ItemContent(name=sent["to"], quantity=3))
    return {"seen": seen.quantity}
'''

EXTENSIONS = '''\
"""Extensions, as their own documentation has them."""

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.httpexceptions import HTTPForbidden
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory

ORIGIN = "https://app.example.com"
ATTEMPTS = []


class Clock:
    def now(self) -> str:
        return "noon"


class Busy(Exception):
    """Nobody could be served at this moment."""


def includeme(config: Configurator) -> None:
    config.add_settings({"tm.manager_hook": "pyramid_tm.explicit_manager"})
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    config.include("pyramid_services")
    config.register_service(Clock(), name="clock")
    config.set_session_factory(SignedCookieSessionFactory("for the session cookie"))
    config.add_tween(f"{__name__}.ban")
    config.add_tween(f"{__name__}.allow_origin")
    config.add_subscriber(expose_tag, NewRequest)
    config.add_resource("visits", "/v1/visits", POST=count_visit)
    config.add_resource("attempts", "/v1/attempts", POST=attempt)


def allow_origin(handler: Callable[[Request], Response], registry: Registry) -> Any:
    def tween(request: Request) -> Response:
        response = handler(request)
        if request.headers.get("Origin") == ORIGIN:
            response.headers["Access-Control-Allow-Origin"] = ORIGIN
        return response

    return tween


def ban(handler: Callable[[Request], Response], registry: Registry) -> Any:
    def tween(request: Request) -> Response:
        if request.headers.get("X-Name") == "mallory":
            raise HTTPForbidden("You are banned.")
        return handler(request)

    return tween


def expose_tag(event: NewRequest) -> None:
    def expose(request: Request, response: Response) -> None:
        response.headers["Access-Control-Expose-Headers"] = "ETag"

    event.request.add_response_callback(expose)


def count_visit(request: Request) -> dict[str, Any]:
    """Count a visit in the session."""
    visits = request.session["visits"] = request.session.get("visits", 0) + 1
    clock = request.find_service(name="clock")
    return {"visits": visits, "time": clock.now(), "joined": request.tm is not None}


def attempt(request: Request) -> dict[str, Any]:
    """Fail for the first two times."""
    from pyramid_retry import mark_error_retryable

    ATTEMPTS.append(request)
    if len(ATTEMPTS) % 3:
        error = Busy()
        mark_error_retryable(error)
        raise error
    return {"attempts": 3}
'''


def ask_of_extensions(client: httpx.Client) -> None:
    origin = {"Origin": "https://app.example.com"}
    allowed, exposed = "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"
    large = {"content": b" " * 1_048_577, "headers": {"Content-Type": "application/json"} | origin}
    long = {"headers": origin | {"X-Long": "x" * 33_000}}
    for method, path, options, status in (
        ("GET", "/v1/items", {"headers": origin}, 200),
        ("GET", "/v1/nothing", {"headers": origin}, 404),
        ("PUT", "/v1/items", {"headers": origin}, 405),
        ("POST", "/v1/items", large, 413),
        ("GET", "/v1/items", long, 431),
    ):
        answer = client.request(method, path, **options)  # type: ignore[arg-type]
        assert answer.status_code == status
        assert answer.headers[allowed] == origin["Origin"], (method, path)
        assert answer.headers[exposed] == "ETag", (method, path)
    assert allowed not in client.get("/v1/items", headers={"Origin": "https://evil"}).headers
    banned = client.get("/v1/items", headers={"X-Name": "mallory"})
    assert assert_problem(banned, 403)["detail"] == "You are banned."
    for visits in (1, 2):
        visit = client.post("/v1/visits")
        assert visit.json() == {"visits": visits, "time": "noon", "joined": True}
    assert client.post("/v1/attempts").json() == {"attempts": 3}
    created = client.post("/v1/items", json={"name": fresh_name()})
    assert created.status_code == 201
    assert client.get(created.headers["Location"]).json() == created.json()
    text = client.get("/metrics").text
    assert 'http_route="/v1/items",le="+Inf"' in text


BESIDE = '''\
"""Work beside requests: a periodic job, and a task that outlives the response."""

import time
from functools import partial

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from .items.model import ITEMS, ItemContent
from .runtime.background import every, submit
from .runtime.resource import PageRequest
from .runtime.service import database
from .runtime.store import Store


def includeme(config: Configurator) -> None:
    every(0.2, partial(delete_old, Store(ITEMS, config.registry.service.database)))
    config.add_resource("letters", "/v1/letters/{name}", POST=create_letter)


def delete_old(items: Store) -> None:
    for item in items.page(PageRequest()).rows:
        if item.name.startswith("old"):
            items.delete(item.id)


def create_letter(request: Request) -> Response:
    """Send a letter."""
    submit(send, Store(ITEMS, database(request)), request.matchdict["name"])
    return Response(status=202)


def send(items: Store, name: str) -> None:
    time.sleep(2)
    if name == "unknown":
        raise LookupError(name)
    items.create(ItemContent(name=name))
'''

CASES = [
    Case("O1 O2 O3 R7 R9", "rooms and bookings", ROOMS_AND_BOOKINGS, ask_of_rooms_and_bookings),
    Case(
        "O4",
        "a security policy",
        {
            "{package}/security.py": POLICY,
            "{package}/report.py": REPORT,
            "{package}/app.py": added('config.include(".report")'),
        },
        ask_of_a_policy,
    ),
    Case(
        "O4",
        "checks that nobody awaits",
        {
            "{package}/forgotten.py": FORGOTTEN,
            "{package}/app.py": added('config.include(".forgotten")'),
        },
        ask_of_coroutines,
    ),
    Case(
        "O6",
        "a setting",
        {
            "{package}/greeting.py": GREETING,
            "{package}/settings.py": SETTING,
            "{package}/app.py": added('config.include(".greeting")'),
        },
        ask_of_a_setting,
        environment={"GREETING": "good day"},
    ),
    Case(
        "O7",
        "errors",
        {
            "{package}/errors.py": ERRORS,
            "{package}/app.py": added('config.include(".errors")'),
        },
        ask_of_errors,
    ),
    Case(
        "O10",
        "a transaction over two stores",
        {
            "{package}/transfer.py": TRANSFER,
            "{package}/app.py": added('config.include(".transfer")'),
        },
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "tweens sessions retries and services",
        {
            "{package}/extensions.py": EXTENSIONS,
            "{package}/app.py": added('config.include(".extensions")'),
        },
        ask_of_extensions,
        packages=("pyramid-tm", "pyramid-retry", "pyramid-services"),
    ),
    Case(
        "O13",
        "a job and a task",
        {
            "{package}/beside.py": BESIDE,
            "{package}/app.py": added('config.include(".beside")'),
        },
        ask_of_work_beside_requests,
    ),
    growth(),
    rules(),
    objects(),
]
