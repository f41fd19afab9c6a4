"""What owners of a Sanic service do."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from tests.contract.items import assert_problem, fresh_name
from tests.contract.websocket import WebSocket
from tests.owner.case import Case, replaced
from tests.owner.cases.growth import growth
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import (
    ask_of_an_unread_body,
    ask_of_rooms_and_bookings,
    new_booking,
    new_room,
)

FIRST = "    app.blueprint(items.blueprint)\n"
HEALTH = "from .health import CHECKS\n"


def added(*lines: str, imports: str) -> object:
    """An edit of `app.py`: imports, and lines in `create_app` after those of items."""
    block = "".join(f"    {line}\n" for line in lines)
    return replaced((HEALTH, imports + HEALTH), (FIRST, FIRST + block))


ROOMS_AND_BOOKINGS = models() | {
    "{package}/rooms/routes.py": copied("room", "rooms"),
    "{package}/bookings/routes.py": copied("booking", "bookings"),
    "{package}/app.py": replaced(
        (HEALTH, "from .bookings import routes as bookings\n" + HEALTH),
        (
            "from .items import routes as items\n",
            "from .items import routes as items\nfrom .rooms import routes as rooms\n",
        ),
        (
            FIRST,
            FIRST + "    app.blueprint(rooms.blueprint)\n    app.blueprint(bookings.blueprint)\n",
        ),
    ),
}


def pushed(client: httpx.Client, *paths: str, change: Any, count: int = 1) -> list[Any]:
    """What the streams at these paths tell first of what `change` does."""

    async def main() -> list[Any]:
        address = client.base_url.host, client.base_url.port
        streams = [await WebSocket.open(address, path) for path in paths]
        await asyncio.to_thread(change)
        async with asyncio.timeout(20):
            messages = [await stream.message() for stream in streams for _ in range(count)]
        for stream in streams:
            stream.close()
        return messages

    return asyncio.run(main())


def ask_of_rooms_and_their_stream(client: httpx.Client) -> None:
    """The subscribers of rooms are told of rooms alone."""
    made: list[dict[str, Any]] = []

    def change() -> None:
        client.post("/v1/items", json={"name": fresh_name()})
        made.append(new_room(client, seats=9))
        new_booking(client, made[0])
        made.append(client.patch(f"/v1/rooms/{made[0]['id']}", json={"seats": 10}).json())

    messages = pushed(client, "/v1/rooms/stream", change=change, count=2)
    assert messages == [
        {"type": "created", "room": made[0]},
        {"type": "updated", "room": made[1]},
    ]
    for booking in client.get("/v1/bookings").json()["bookings"]:
        client.delete(f"/v1/bookings/{booking['id']}")
    assert client.delete(f"/v1/rooms/{made[0]['id']}").status_code == 204
    ask_of_rooms_and_bookings(client)


NOTES_MODEL = replaced(
    ("import Content, Line\n", "import Content, Line, Lines\n"),
    ("    quantity: Mapped[int]\n", "    quantity: Mapped[int]\n    notes: Mapped[str]\n"),
    (
        "    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 0\n",
        "    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 0\n"
        '    notes: Annotated[str, Lines(0, 20_000)] = ""\n',
    ),
)

NOTES_MIGRATION = '''\
"""Add notes to items."""

import sqlalchemy as sa
from alembic import op

revision = "notes"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("notes", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("items", "notes")
'''


def ask_of_a_long_text(client: httpx.Client) -> None:
    """A representation that is larger than a notification of PostgreSQL may be."""
    notes = "é line\n" * 2_000

    def change() -> None:
        item = {"name": fresh_name(), "notes": notes}
        assert client.post("/v1/items", json=item).status_code == 201

    (message,) = pushed(client, "/v1/items/stream", change=change)
    assert (message["type"], message["item"]["notes"]) == ("created", notes)
    schema = client.get("/openapi.json").json()["components"]["schemas"]["ItemContent"]
    assert schema["properties"]["notes"]["maxLength"] == 20_000


CHECK = '''\
"""Who may call."""

from sanic import Request
from sanic.exceptions import Unauthorized


{define} check(request: Request) -> None:
    if request.token != "good":
        raise Unauthorized("Sign in first.", scheme="Bearer", realm="x")
'''


def ask_of_a_check(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200, path
    assert_problem(client.get("/livez", headers={"X-Long": "x" * 33_000}), 431)
    assert_problem(client.put("/readyz"), 405)
    large = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for method, path, body, headers in (
        ("GET", "/v1/items", b"", {}),
        ("GET", "/v1/nothing", b"", {}),
        ("GET", "/v1/items/stream", b"", {}),
        ("PUT", "/v1/items", b"", {}),
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
"""Who may call: the owner has forgotten an await."""

from sanic import Request
from sanic.exceptions import Unauthorized


async def knows(token: str | None) -> bool:
    return token == "good"


async def check(request: Request) -> None:
    if not knows(request.token):
        raise Unauthorized("Sign in first.")
'''


def ask_of_a_coroutine(client: httpx.Client) -> None:
    """It is an error at every request, and never lets anyone in."""
    for _ in range(3):
        for path in ("/v1/items", "/v1/nothing"):
            assert_problem(client.get(path), 500)
            assert_problem(client.get(path, headers={"Authorization": "Bearer good"}), 500)
    assert client.get("/livez").status_code == 200


ERRORS = '''\
"""The framework's own errors, and what else an owner raises."""

from sanic import Blueprint, HTTPResponse, Request, redirect, text
from sanic.exceptions import (
    Forbidden,
    SanicException,
    ServerError,
    ServiceUnavailable,
    Unauthorized,
)

from .runtime.http import Problem

blueprint = Blueprint("errors", url_prefix="/e")


@blueprint.exception(KeyError)
async def answer_key_error(request: Request, error: KeyError) -> HTTPResponse:
    raise Problem(410, "It was here once.")


@blueprint.get("/<status:int>")
async def refuse(request: Request, status: int) -> HTTPResponse:
    raise SanicException(f"because of {status}", status_code=status, headers={"X-Why": "yes"})


@blueprint.get("/plain")
async def refuse_plainly(request: Request) -> HTTPResponse:
    raise Forbidden


@blueprint.get("/unauthorized")
async def ask_to_sign_in(request: Request) -> HTTPResponse:
    raise Unauthorized("who are you", scheme="Digest", realm="x", nonce="7")


@blueprint.get("/closed")
async def closed(request: Request) -> HTTPResponse:
    raise ServiceUnavailable("closed for lunch", headers={"Retry-After": "60"})


@blueprint.get("/gone")
async def gone(request: Request) -> HTTPResponse:
    raise KeyError("secret name")


@blueprint.get("/broken")
async def broken(request: Request) -> HTTPResponse:
    raise RuntimeError("secret words")


@blueprint.get("/failed")
async def failed(request: Request) -> HTTPResponse:
    raise ServerError("secret words")


@blueprint.get("/nothing")
async def nothing(request: Request) -> None:
    """A handler that forgot its response."""


@blueprint.get("/elsewhere")
async def elsewhere(request: Request) -> HTTPResponse:
    return redirect("/v1/items")


@blueprint.get("/own")
async def own(request: Request) -> HTTPResponse:
    return text("mine", 418, {"X-Mine": "yes"})
'''


def ask_of_errors(client: httpx.Client) -> None:
    for status in (400, 403, 409, 410, 418, 422, 429, 502):
        answer = client.get(f"/e/{status}")
        assert (answer.status_code, answer.json()["detail"]) == (status, f"because of {status}")
        assert answer.headers["X-Why"] == "yes"
    assert 'http_route="/e/{status}"' in client.get("/metrics").text
    assert_problem(client.get("/e/plain"), 403)
    unauthorized = client.get("/e/unauthorized")
    assert assert_problem(unauthorized, 401)["detail"] == "who are you"
    assert unauthorized.headers["WWW-Authenticate"].startswith("Digest realm=")
    closed = client.get("/e/closed")
    assert assert_problem(closed, 503)["detail"] == "closed for lunch"
    assert closed.headers["Retry-After"] == "60"
    assert assert_problem(client.get("/e/gone"), 410)["detail"] == "It was here once."
    for path in ("/e/broken", "/e/failed", "/e/nothing"):
        answer = client.get(path)
        assert_problem(answer, 500)
        assert "secret" not in answer.text
        assert "Handler" not in answer.text
        assert "Invalid response" not in answer.text
    elsewhere = client.get("/e/elsewhere")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/v1/items")
    own = client.get("/e/own")
    assert (own.status_code, own.text, own.headers["X-Mine"]) == (418, "mine", "yes")


ROUTED = '''\
"""Routes that the document does not describe."""

from pathlib import Path

from sanic import HTTPResponse, Request, text
from sanic.views import HTTPMethodView

from .runtime.service import Service


class Notes(HTTPMethodView):
    async def get(self, request: Request, note: str) -> HTTPResponse:
        """Read a note."""
        return text(note)


def add(app: Service) -> None:
    app.add_route(Notes.as_view(), "/notes/<note>")
    app.static("/source", Path(__file__).parent)
'''


def ask_of_routes(client: httpx.Client) -> None:
    """Every route is counted under its template."""
    assert client.get("/notes/7").text == "7"
    assert client.get("/source/app.py").status_code == 200
    assert client.get("/v1/items/stream").status_code == 404
    metrics = client.get("/metrics").text
    for route in ("/notes/{note}", "/source/{__file_uri__}", "/v1/items/stream"):
        assert f'http_route="{route}"' in metrics, route
    assert 'http_route=""' not in metrics
    paths = client.get("/openapi.json").json()["paths"]
    assert paths["/notes/{note}"]["get"]["summary"] == "Read a note."


GREETING = '''\
"""A greeting from the settings."""

from sanic import Blueprint, HTTPResponse, json

from .runtime.service import Request

blueprint = Blueprint("greeting")


@blueprint.get("/v1/greeting")
async def get_greeting(request: Request) -> HTTPResponse:
    return json({"greeting": request.app.settings.greeting})
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

from sanic import Blueprint, HTTPResponse, json

from .items.model import ITEMS, ItemContent
from .runtime.database import Database
from .runtime.service import Request
from .runtime.store import Store

blueprint = Blueprint("transfer")


def move(database: Database, source: str, target: str) -> int:
    items = Store(ITEMS, database)
    with database.writing():
        made = items.create(ItemContent(name=source, quantity=5))
        items.patch(made.id, {"quantity": 2}, frozenset({made.revision}))
        seen = items.get(made.id)
        items.create(ItemContent(name=target, quantity=3))
    return seen.quantity


@blueprint.post("/v1/transfer")
async def transfer(request: Request) -> HTTPResponse:
    """Move a quantity from a new item to another one."""
    sent = request.json
    app = request.app
    return json({"seen": await app.in_thread(move, app.database, sent["from"], sent["to"])})
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

import sentry_sdk
from sanic import HTTPResponse, Request, json
from sanic_ext import Extend
from sanic_jwt import Initialize, exceptions
from sentry_sdk.types import Event, Hint

from .runtime.service import Service


class Clock:
    """What Sanic Extensions gives to a handler that asks for it."""

    def now(self) -> str:
        return "noon"


async def authenticate(request: Request) -> dict[str, object]:
    if not request.json or request.json.get("password") != "open":
        raise exceptions.AuthenticationFailed("Wrong password.")
    return {"user_id": 1}


async def get_time(request: Request, clock: Clock) -> HTTPResponse:
    return json({"time": clock.now()})


async def fail(request: Request) -> HTTPResponse:
    raise RuntimeError("secret words")


def add(app: Service) -> None:
    sentry_sdk.init("http://key@127.0.0.1:1/1", before_send=count)
    app.config.CORS_ORIGINS = "https://app.example.com"
    app.config.CORS_EXPOSE_HEADERS = "ETag"
    Extend(app)
    app.ext.add_dependency(Clock, Clock)
    app.add_route(get_time, "/time")
    app.add_route(fail, "/fail")
    app.add_route(get_reports, "/reports")
    Initialize(app, authenticate=authenticate, secret="a secret that is long enough for HS256")


reports: list[object] = []


def count(event: Event, hint: Hint) -> None:
    reports.extend(one["mechanism"]["type"] for one in event["exception"]["values"])


async def get_reports(request: Request) -> HTTPResponse:
    return json(reports)
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
    assert (preflight.status_code, preflight.headers[allowed]) == (204, origin["Origin"])
    assert {"*", "POST"} & set(preflight.headers["Access-Control-Allow-Methods"].split(","))
    assert client.get("/time").json() == {"time": "noon"}
    wrong = client.post("/auth", json={"password": "shut"})
    assert (wrong.status_code, wrong.json()["exception"]) == (401, "AuthenticationFailed")
    token = client.post("/auth", json={"password": "open"}).json()["access_token"]
    me = client.get("/auth/verify", headers={"Authorization": f"Bearer {token}"})
    assert me.json() == {"valid": True}
    assert_problem(client.get("/fail"), 500)
    assert "sanic" in client.get("/reports").json(), "the error was not reported"
    assert "/docs/redoc" not in client.get("/openapi.json").text
    assert client.get("/livez").status_code == 200


WORK = '''\
"""A periodic job, and a task after the response."""

import asyncio

from sanic import Blueprint, HTTPResponse, json

from .items.model import ITEMS, ItemContent
from .runtime.service import Request, Service
from .runtime.store import Store

blueprint = Blueprint("work")
ticks: list[int] = []


async def tick(app: Service) -> None:
    while True:
        ticks.append(len(ticks))
        await asyncio.sleep(0.1)


async def record(app: Service, name: str) -> None:
    await asyncio.sleep(1.5)
    await app.in_thread(Store(ITEMS, app.database).create, ItemContent(name=name))


@blueprint.get("/v1/ticks")
async def get_ticks(request: Request) -> HTTPResponse:
    return json(len(ticks))


@blueprint.post("/v1/orders/<name>")
async def order(request: Request, name: str) -> HTTPResponse:
    request.app.add_task(record(request.app, name))
    return json({"ordered": name}, 202)
'''


def ask_of_work(client: httpx.Client) -> None:
    before = client.get("/v1/ticks").json()
    started = time.monotonic()
    name = fresh_name()
    assert client.post(f"/v1/orders/{name}").status_code == 202
    assert time.monotonic() - started < 1.4, "the task was waited for"

    def names() -> list[str]:
        return [item["name"] for item in client.get("/v1/items").json()["items"]]

    while name not in names():
        assert time.monotonic() - started < 20
        time.sleep(0.1)
    assert client.get("/v1/ticks").json() > before
    metrics = client.get("/metrics").text
    labels = (
        'http_request_method="POST",http_response_status_code="202",http_route="/v1/orders/{name}"'
    )
    (total,) = (line for line in metrics.splitlines() if f"_sum{{{labels}}}" in line)
    assert float(total.split()[-1]) < 1.4


def check(name: str, define: str) -> Case:
    return Case(
        "O4",
        name,
        {
            "{package}/access.py": CHECK.replace("{define}", define),
            "{package}/app.py": added(
                "app.on_request(check)", imports="from .access import check\n"
            ),
        },
        ask_of_a_check,
    )


CASES = [
    Case(
        "O1 O2 O3 R7 R9",
        "rooms and bookings",
        ROOMS_AND_BOOKINGS,
        ask_of_rooms_and_their_stream,
    ),
    Case(
        "O3",
        "a field of long texts",
        {
            "{package}/items/model.py": NOTES_MODEL,
            "{package}/migrations/versions/notes.py": NOTES_MIGRATION,
        },
        ask_of_a_long_text,
    ),
    check("a check of who may call", "def"),
    check("an asynchronous check", "async def"),
    Case(
        "O4",
        "a check that nobody awaits",
        {
            "{package}/access.py": FORGOTTEN,
            "{package}/app.py": added(
                "app.on_request(check)", imports="from .access import check\n"
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
                "app.blueprint(greeting.blueprint)", imports="from . import greeting\n"
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
                "app.blueprint(errors.blueprint)", imports="from . import errors\n"
            ),
        },
        ask_of_errors,
    ),
    Case(
        "H2",
        "routes that nothing describes",
        {
            "{package}/notes.py": ROUTED,
            "{package}/app.py": added("notes.add(app)", imports="from . import notes\n"),
        },
        ask_of_routes,
    ),
    Case(
        "O10",
        "a transaction over two stores",
        {
            "{package}/transfer.py": TRANSFER,
            "{package}/app.py": added(
                "app.blueprint(transfer.blueprint)", imports="from . import transfer\n"
            ),
        },
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors tokens and error reports",
        {
            "{package}/extensions.py": EXTENSIONS,
            "{package}/app.py": added("extensions.add(app)", imports="from . import extensions\n"),
        },
        ask_of_extensions,
        packages=("sanic-ext", "sanic-jwt", "sentry-sdk"),
    ),
    Case(
        "O13",
        "a job and a task after the response",
        {
            "{package}/work.py": WORK,
            "{package}/app.py": added(
                "app.blueprint(work.blueprint)",
                "app.add_task(work.tick)",
                imports="from . import work\n",
            ),
        },
        ask_of_work,
    ),
    growth(),
    rules("StreamedStore", "stream"),
    objects(),
]
