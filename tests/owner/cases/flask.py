"""What owners of a Flask service do."""

from __future__ import annotations

import httpx

from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case, replaced
from tests.owner.cases.growth import growth
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import (
    ask_of_an_unread_body,
    ask_of_rooms_and_bookings,
    ask_of_work_beside_requests,
)

FIRST = "    app.register_blueprint(items.blueprint)\n"


def added(*lines: str, imports: str = "", before: bool = False) -> object:
    """An edit of `app.py`: imports, and lines in `create_app` after those of items."""
    block = "".join(f"    {line}\n" for line in lines)
    return replaced(
        ("from flask import Flask\n", f"from flask import Flask\n{imports}"),
        (FIRST, block + FIRST if before else FIRST + block),
    )


ROOMS_AND_BOOKINGS = models() | {
    "{package}/rooms/routes.py": copied("room", "rooms"),
    "{package}/bookings/routes.py": copied("booking", "bookings"),
    "{package}/app.py": replaced(
        (
            "from .items import routes as items\n",
            "from .bookings import routes as bookings\n"
            "from .items import routes as items\n"
            "from .rooms import routes as rooms\n",
        ),
        (
            FIRST,
            FIRST + "    app.register_blueprint(rooms.blueprint)\n"
            "    app.register_blueprint(bookings.blueprint)\n",
        ),
    ),
}

CHECK = '''\
"""Who may call."""

from flask import request

from .runtime.http import Problem


def check() -> None:
    if request.headers.get("Authorization") != "Bearer good":
        raise Problem(401, "Sign in first.", headers={"WWW-Authenticate": 'Bearer realm="x"'})
'''


def ask_of_a_check(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200, path
    large = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for method, path, body, headers in (
        ("GET", "/v1/items", b"", {}),
        ("GET", "/v1/nothing", b"", {}),
        ("POST", "/v1/items", b'{"name": 7, "x": 1}', {"Content-Type": "application/json"}),
        ("POST", "/v1/items", b"{", large),
        ("PATCH", "/v1/items/7", b"", {}),
        ("DELETE", "/v1/items/7", b"", {"If-Match": '"x"'}),
    ):
        answer = client.request(method, path, content=body, headers=headers)
        problem = assert_problem(answer, 401)
        assert problem["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    signed = {"Authorization": "Bearer good"}
    assert client.get("/v1/items", headers=signed).status_code == 200
    assert client.get("/v1/nothing", headers=signed).status_code == 404
    ask_of_an_unread_body(client)


FORGOTTEN = '''\
"""Who may call: a coroutine, in a framework that would not await it."""


async def check() -> None:
    """Let everyone in, if nobody awaited it."""
'''


def ask_of_a_coroutine(client: httpx.Client) -> None:
    """Flask runs `async def` by itself if asgiref is there, and says so if it is not."""
    assert client.get("/v1/items").status_code == 500
    assert client.get("/livez").status_code == 200


ERRORS = '''\
"""The framework's own errors, and what else an owner raises."""

from flask import Blueprint, abort, redirect
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import ServiceUnavailable, TooManyRequests, Unauthorized
from werkzeug.wrappers import Response

from .runtime.http import Problem

blueprint = Blueprint("errors", __name__, url_prefix="/e")


@blueprint.errorhandler(KeyError)
def answer_key_error(error: KeyError) -> Response:
    raise Problem(410, "It was here once.")


@blueprint.get("/<int:status>")
def refuse(status: int) -> Response:
    abort(status, f"because of {status}")


@blueprint.get("/plain")
def refuse_plainly() -> Response:
    abort(403)


@blueprint.get("/unauthorized")
def ask_to_sign_in() -> Response:
    raise Unauthorized("who are you", www_authenticate=WWWAuthenticate("bearer", {"realm": "x"}))


@blueprint.get("/slow")
def slow_down() -> Response:
    raise TooManyRequests("not so fast", retry_after=7)


@blueprint.get("/closed")
def closed() -> Response:
    raise ServiceUnavailable("closed for lunch", retry_after=60)


@blueprint.get("/gone")
def gone() -> Response:
    raise KeyError("secret name")


@blueprint.get("/broken")
def broken() -> Response:
    raise RuntimeError("secret words")


@blueprint.get("/elsewhere")
def elsewhere() -> Response:
    return redirect("/v1/items")


@blueprint.get("/own")
def own() -> Response:
    abort(Response("mine", 418, {"X-Mine": "yes"}))
'''


def ask_of_errors(client: httpx.Client) -> None:
    for status in (400, 403, 409, 410, 418, 422):
        answer = client.get(f"/e/{status}")
        assert (answer.status_code, answer.json()["detail"]) == (status, f"because of {status}")
    assert 'http_route="/e/{status}"' in client.get("/metrics").text
    assert "int:" not in client.get("/metrics").text
    assert_problem(client.get("/e/plain"), 403)
    unauthorized = client.get("/e/unauthorized")
    assert assert_problem(unauthorized, 401)["detail"] == "who are you"
    assert unauthorized.headers["WWW-Authenticate"].lower().startswith("bearer realm=")
    slow = client.get("/e/slow")
    assert assert_problem(slow, 429)["detail"] == "not so fast"
    assert slow.headers["Retry-After"] == "7"
    closed = client.get("/e/closed")
    assert assert_problem(closed, 503)["detail"] == "closed for lunch"
    assert closed.headers["Retry-After"] == "60"
    assert assert_problem(client.get("/e/gone"), 410)["detail"] == "It was here once."
    assert "secret" not in client.get("/e/broken").text
    assert_problem(client.get("/e/broken"), 500)
    elsewhere = client.get("/e/elsewhere")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/v1/items")
    own = client.get("/e/own")
    assert (own.status_code, own.text, own.headers["X-Mine"]) == (418, "mine", "yes")


GREETING = '''\
"""A greeting from the settings."""

from typing import cast

from flask import Blueprint, Response, current_app, jsonify

from .runtime.service import Service
from .settings import Settings

blueprint = Blueprint("greeting", __name__)


@blueprint.get("/v1/greeting")
def get_greeting() -> Response:
    settings = cast(Settings, cast(Service, current_app).settings)
    return jsonify(greeting=settings.greeting)
'''

SETTING = replaced(
    (
        "from .runtime import settings\n",
        "from typing import Annotated\n\nfrom pydantic import Field\n\n"
        "from .runtime import settings\n",
    ),
    (
        '    """Add your own settings: `greeting: str = "hello"` is read from GREETING."""\n',
        '    greeting: Annotated[str, Field(max_length=10)] = "hello"\n',
    ),
)


def ask_of_a_setting(client: httpx.Client) -> None:
    assert client.get("/v1/greeting").json() == {"greeting": "good day"}


TRANSFER = '''\
"""Two items changed together, or neither."""

from flask import Blueprint, Response, jsonify, request

from .items.model import ITEMS, ItemContent
from .runtime.service import database
from .runtime.store import Store

blueprint = Blueprint("transfer", __name__)


@blueprint.post("/v1/transfer")
def transfer() -> Response:
    """Move a quantity from a new item to another one."""
    sent = request.get_json()
    items = Store(ITEMS, database())
    with database().writing(seconds=20):
        made = items.create(ItemContent(name=sent["from"], quantity=5))
        items.patch(made.id, {"quantity": 2}, frozenset({made.revision}))
        seen = items.get(made.id)
        items.create(ItemContent(name=sent["to"], quantity=3))
    return jsonify(seen=seen.quantity)
'''


def ask_of_a_transaction(client: httpx.Client) -> None:
    first, second, third = fresh_name("from"), fresh_name("to"), fresh_name("third")
    assert client.post("/v1/transfer", json={"from": first, "to": second}).json() == {"seen": 2}
    taken = client.post("/v1/transfer", json={"from": third, "to": second})
    assert_problem(taken, 409)
    names = [item["name"] for item in client.get("/v1/items").json()["items"]]
    assert first in names
    assert third not in names, "half of a transaction was stored"


EXTENSIONS = '''\
"""Extensions, as their own documentation has them."""

from flask import Flask
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager


def add(app: Flask) -> None:
    app.secret_key = "for the session cookie"
    CORS(app, origins=["https://app.example.com"], expose_headers=["ETag"])
    Limiter(get_remote_address, app=app, default_limits=["40 per minute"])
    login = LoginManager(app)
    login.user_loader(lambda user_id: None)
'''


def ask_of_extensions(client: httpx.Client) -> None:
    origin = {"Origin": "https://app.example.com"}
    allowed = "Access-Control-Allow-Origin"
    assert client.get("/v1/items", headers=origin).headers[allowed] == origin["Origin"]
    assert allowed not in client.get("/v1/items", headers={"Origin": "https://evil"}).headers
    sent = origin | {"Content-Type": "application/json"}
    large = client.post("/v1/items", content=b" " * 1_048_577, headers=sent)
    assert_problem(large, 413)
    assert large.headers[allowed] == origin["Origin"]
    long = client.get("/v1/items", headers=origin | {"X-Long": "x" * 33_000})
    assert_problem(long, 431)
    assert long.headers[allowed] == origin["Origin"]
    assert client.get("/v1/nothing", headers=origin).headers[allowed] == origin["Origin"]
    preflight = client.options(
        "/v1/items", headers=origin | {"Access-Control-Request-Method": "POST"}
    )
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    answers = [client.get("/v1/items") for _ in range(45)]
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert "40 per 1 minute" in assert_problem(limited, 429)["detail"]
    assert client.get("/livez").status_code == 200
    assert_invalid_never_counts(client)


def assert_invalid_never_counts(client: httpx.Client) -> None:
    """What the limiter lets through no more is no trouble of the service."""
    assert client.get("/readyz").status_code == 200


BESIDE = '''\
"""Work beside requests: a periodic job, and a task that outlives the response."""

import time
from functools import partial

from flask import Blueprint, Response

from .items.model import ITEMS, ItemContent
from .runtime.background import every, submit
from .runtime.resource import PageRequest
from .runtime.service import Service, database
from .runtime.store import Store

blueprint = Blueprint("letters", __name__)


def add(app: Service) -> None:
    every(0.2, partial(delete_old, Store(ITEMS, app.database)))
    app.register_blueprint(blueprint)


def delete_old(items: Store) -> None:
    for item in items.page(PageRequest()).rows:
        if item.name.startswith("old"):
            items.delete(item.id)


@blueprint.post("/v1/letters/<name>")
def create_letter(name: str) -> Response:
    """Send a letter."""
    submit(send, Store(ITEMS, database()), name)
    return Response(status=202)


def send(items: Store, name: str) -> None:
    time.sleep(2)
    if name == "unknown":
        raise LookupError(name)
    items.create(ItemContent(name=name))
'''


CASES = [
    Case(
        "O1 O2 O3 R7 R9",
        "rooms and bookings",
        ROOMS_AND_BOOKINGS,
        ask_of_rooms_and_bookings,
    ),
    Case(
        "O4",
        "a check of who may call",
        {
            "{package}/access.py": CHECK,
            "{package}/app.py": added(
                "app.before_request(check)", imports="\nfrom .access import check\n"
            ),
        },
        ask_of_a_check,
    ),
    Case(
        "O4",
        "a check that nobody awaits",
        {
            "{package}/access.py": FORGOTTEN,
            "{package}/app.py": added(
                "app.before_request(check)", imports="\nfrom .access import check\n"
            ),
        },
        ask_of_a_coroutine,
    ),
    Case(
        "O6",
        "a setting",
        {
            "{package}/greeting.py": GREETING,
            "{package}/settings.py": SETTING,
            "{package}/app.py": added(
                "app.register_blueprint(greeting.blueprint)", imports="\nfrom . import greeting\n"
            ),
        },
        ask_of_a_setting,
        environment={"GREETING": "good day"},
    ),
    Case(
        "O7",
        "errors",
        {
            "{package}/errors.py": ERRORS,
            "{package}/app.py": added(
                "app.register_blueprint(errors.blueprint)", imports="\nfrom . import errors\n"
            ),
        },
        ask_of_errors,
    ),
    Case(
        "O10",
        "a transaction over two stores",
        {
            "{package}/transfer.py": TRANSFER,
            "{package}/app.py": added(
                "app.register_blueprint(transfer.blueprint)", imports="\nfrom . import transfer\n"
            ),
        },
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors limits and sign in",
        {
            "{package}/extensions.py": EXTENSIONS,
            "{package}/app.py": added(
                "extensions.add(app)", imports="\nfrom . import extensions\n"
            ),
        },
        ask_of_extensions,
        packages=("flask-cors", "flask-limiter", "flask-login"),
    ),
    Case(
        "O13",
        "a job and a task",
        {
            "{package}/beside.py": BESIDE,
            "{package}/app.py": added("beside.add(app)", imports="\nfrom . import beside\n"),
        },
        ask_of_work_beside_requests,
    ),
    growth(),
    rules(),
    objects(),
]
