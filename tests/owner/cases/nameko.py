"""What owners of a Nameko service do."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import httpx

from tests.contract.items import UNKNOWN_ID, assert_invalid, assert_problem, fresh_name
from tests.owner.case import Case, Copy, Edit, replaced
from tests.owner.cases.growth import growth
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules_of_nameko
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import (
    ask_of_an_unread_body,
    ask_of_rooms_and_bookings,
    new_booking,
    new_room,
)
from tests.servers import wait_until

FIRST = "    app.add_service(ItemRoutes, Items)\n"


def added(*lines: str, imports: str = "", before: bool = False) -> Edit:
    """An edit of `app.py`: imports, and lines in `create_app` beside the one of items."""
    block = "".join(f"    {line}\n" for line in lines)
    return replaced(
        ("from .settings import Settings\n", f"from .settings import Settings\n{imports}"),
        (FIRST, block + FIRST if before else FIRST + block),
    )


ROOMS_AND_BOOKINGS: dict[str, Edit] = {
    **models("0002"),
    "{package}/rooms/routes.py": copied("room", "rooms"),
    "{package}/rooms/service.py": copied("room", "rooms", "service.py"),
    "{package}/bookings/routes.py": copied("booking", "bookings"),
    "{package}/bookings/service.py": copied("booking", "bookings", "service.py"),
    "{package}/app.py": added(
        "app.add_service(RoomRoutes, Rooms)",
        "app.add_service(BookingRoutes, Bookings)",
        imports="from .rooms.routes import RoomRoutes\n"
        "from .rooms.service import Rooms\n"
        "from .bookings.routes import BookingRoutes\n"
        "from .bookings.service import Bookings\n",
    ),
}

# Tests that run at the same time may share a broker: each calls only its own service.
MINE = uuid.uuid4().hex[:8]

GATEWAY = '''\
"""Calls over RPC, and events, for whoever has HTTP alone."""

import json
from typing import Any, ClassVar

from nameko.exceptions import RemoteError
from nameko.rpc import RpcProxy
from werkzeug.wrappers import Request

from .runtime.messaging import event_handler
from .runtime.web import http


class Gateway:
    """One service class with entrypoints of both kinds."""

    name = "gateway-MINE"
    items = RpcProxy("items")
    rooms = RpcProxy("rooms-MINE")
    bookings = RpcProxy("bookings-MINE")
    seen: ClassVar[dict[str, list[Any]]] = {"rooms": [], "bookings": []}

    @http("POST", "/v1/calls/<service>/<method>")
    def call(self, request: Request, service: str, method: str) -> tuple[int, str]:
        try:
            result = getattr(getattr(self, service), method)(**request.get_json())
        except RemoteError as error:
            return 200, json.dumps({"error": error.exc_type, "message": error.value})
        return 200, json.dumps({"result": result})

    @http("GET", "/v1/seen")
    def list_events(self, request: Request) -> str:
        return json.dumps(self.seen)

    @event_handler("rooms", "room_created")
    def on_room_created(self, event: dict[str, Any]) -> None:
        self.seen["rooms"].append(event["room"]["id"])

    @event_handler("bookings", "booking_created")
    def on_booking_created(self, event: dict[str, Any]) -> None:
        self.seen["bookings"].append(event["booking"]["id"])
'''.replace("MINE", MINE)


def ask_of_calls_and_events(client: httpx.Client) -> None:
    """RPC and events of a second resource, which are that one's alone."""
    wait_until(lambda: client.get("/readyz").status_code == 200, 20, "the broker is connected")

    def call(method: str, **arguments: object) -> dict[str, Any]:
        answer = client.post(f"/v1/calls/{method.replace('.', '/')}", json=arguments)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    room = call("rooms.create", name=fresh_name("room"))["result"]
    assert room["seats"] == 2
    assert client.get(f"/v1/rooms/{room['id']}").json() == room
    assert call("rooms.create", name=room["name"])["error"] == "Duplicate"
    assert call("items.get", item_id=room["id"])["error"] == "NotFound"
    starts_at = "2030-06-01T10:00:00+05:00"
    sent = {"guest": "Ada", "nights": 1, "starts_at": starts_at}
    booking = call("bookings.create", room_id=room["id"], **sent)["result"]
    assert booking["starts_at"] == "2030-06-01T05:00:00.000000Z"
    unknown = call("bookings.create", room_id=UNKNOWN_ID, **sent)
    assert (unknown["error"], unknown["message"][:9]) == ("Invalid", "/room_id:")
    assert call("bookings.list", paid=False)["result"]["bookings"] == [booking]
    assert call("bookings.list", paid=True, sort="-starts_at")["result"]["bookings"] == []
    assert call("bookings.list", paid="no")["error"] == "Invalid"
    assert call("bookings.patch", booking_id=booking["id"], nights=2)["result"]["nights"] == 2
    assert call("rooms.delete", room_id=room["id"])["error"] == "StillReferenced"
    posted = new_booking(client, new_room(client))
    expected = {
        "rooms": {room["id"], posted["room_id"]},
        "bookings": {booking["id"], posted["id"]},
    }

    def seen() -> bool:
        events = client.get("/v1/seen").json()
        return all(ids <= set(events[plural]) for plural, ids in expected.items())

    wait_until(seen, 10, "the events of both")


CHECK = '''\
"""Who may call."""

from werkzeug.wrappers import Request

from .runtime.http import Problem


def check(request: Request) -> None:
    if request.headers.get("Authorization") != "Bearer good":
        raise Problem(401, "Sign in first.", headers={"WWW-Authenticate": 'Bearer realm="x"'})
'''


def ask_of_a_check(client: httpx.Client) -> None:
    assert client.get("/livez").status_code == 200
    wait_until(lambda: client.get("/readyz").status_code == 200, 20, "ready without signing in")
    for path in ("/metrics", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200, path
    json, gzip = {"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}
    for method, path, body, headers in (
        ("GET", "/v1/items", b"", {}),
        ("GET", "/v1/nothing", b"", {}),
        ("POST", "/v1/items", b'{"name": 7, "x": 1}', json),
        ("POST", "/v1/items", b"{", json | gzip),
        ("PATCH", "/v1/items/7", b"", {}),
        ("DELETE", "/v1/items/7", b"", {"If-Match": '"x"'}),
    ):
        answer = client.request(method, path, content=body, headers=headers)
        assert assert_problem(answer, 401)["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    signed = {"Authorization": "Bearer good"}
    assert client.get("/v1/items", headers=signed).status_code == 200
    assert client.get("/v1/nothing", headers=signed).status_code == 404
    ask_of_an_unread_body(client)


FORGOTTEN = '''\
"""Who may call: a coroutine that nothing awaits, hidden from whoever looks at the function."""

from collections.abc import Awaitable

from werkzeug.wrappers import Request


async def allowed(request: Request) -> None:
    """Let everyone in, if nobody awaited it."""


def check(request: Request) -> Awaitable[None]:
    return allowed(request)
'''


DROPPED = replaced(
    ("from collections.abc import Awaitable\n\n", ""),
    ("-> Awaitable[None]:\n    return ", "-> None:\n    "),
)(FORGOTTEN)


def ask_of_a_coroutine(client: httpx.Client) -> None:
    assert client.get("/v1/items").status_code == 500
    assert client.get("/livez").status_code == 200


DEPENDENCY = '''\
"""Who may call, as a dependency of Nameko's: it may refuse before the method is called."""

from typing import Any

from nameko.extensions import DependencyProvider
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Request

from .runtime.web import http


class Caller(DependencyProvider):
    def worker_setup(self, worker_ctx: Any) -> None:
        if "Authorization" not in worker_ctx.args[0].headers:
            raise Unauthorized("Sign in first.")

    def get_dependency(self, worker_ctx: Any) -> str:
        return str(worker_ctx.args[0].headers.get("Authorization"))


class Me:
    """Tells callers who they are."""

    name = "me"
    caller = Caller()

    @http("GET", "/v1/me")
    def get_me(self, request: Request) -> str:
        return self.caller
'''


def ask_of_a_dependency(client: httpx.Client) -> None:
    """Nameko ends a container whose dependency raises; here it is an error of the request."""
    for _ in range(3):
        assert assert_problem(client.get("/v1/me"), 401)["detail"] == "Sign in first."
    assert client.get("/v1/me", headers={"Authorization": "Ada"}).text == "Ada"
    assert client.get("/v1/items").status_code == 200


ERRORS = '''\
"""The framework's own errors, and what else an owner raises."""

from nameko.exceptions import BadRequest
from nameko.web.handlers import http as plain_http
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import ServiceUnavailable, TooManyRequests, Unauthorized, abort
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .runtime.web import http


class Closed(Exception):
    """The shop is closed."""


class Errors:
    """Refuses in every way."""

    name = "errors"

    @http("GET", "/e/<int:status>")
    def refuse(self, request: Request, status: int) -> Response:
        abort(status, f"because of {status}")

    @http("GET", "/e/plain")
    def refuse_plainly(self, request: Request) -> Response:
        abort(403)

    @http("GET", "/e/unauthorized")
    def ask_to_sign_in(self, request: Request) -> Response:
        challenge = WWWAuthenticate("bearer", {"realm": "x"})
        raise Unauthorized("who are you", www_authenticate=challenge)

    @http("GET", "/e/slow")
    def slow_down(self, request: Request) -> Response:
        raise TooManyRequests("not so fast", retry_after=7)

    @http("GET", "/e/closed")
    def closed(self, request: Request) -> Response:
        raise ServiceUnavailable("closed for lunch", retry_after=60)

    @http("GET", "/e/bad")
    def bad(self, request: Request) -> Response:
        raise BadRequest("not like this")

    @http("GET", "/e/expected", expected_exceptions=(Closed,))
    def expected(self, request: Request) -> Response:
        raise Closed("come back tomorrow")

    @http("GET", "/e/broken")
    def broken(self, request: Request) -> Response:
        raise RuntimeError("secret words")

    @plain_http("GET", "/e/nameko")
    def broken_as_ever(self, request: Request) -> Response:
        raise RuntimeError("secret words")

    @http("GET", "/e/later")
    async def later(self, request: Request) -> Response:
        return Response("never awaited")

    @http("GET", "/e/elsewhere")
    def elsewhere(self, request: Request) -> Response:
        return redirect("/v1/items")

    @http("GET", "/e/own")
    def own(self, request: Request) -> Response:
        abort(Response("mine", 418, {"X-Mine": "yes"}))

    @http("GET", "/e/tuple")
    def answer_as_nameko_does(self, request: Request) -> tuple[int, dict[str, str], str]:
        return 202, {"X-Mine": "yes"}, "mine"
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
    assert assert_problem(client.get("/e/bad"), 400)["detail"] == "not like this"
    assert assert_problem(client.get("/e/expected"), 400)["detail"] == "come back tomorrow"
    for path in ("/e/broken", "/e/nameko", "/e/later"):
        broken = client.get(path)
        assert_problem(broken, 500)
        assert not re.search("secret|Runtime|coroutine", broken.text)
    elsewhere = client.get("/e/elsewhere")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/v1/items")
    own = client.get("/e/own")
    assert (own.status_code, own.text, own.headers["X-Mine"]) == (418, "mine", "yes")
    pair = client.get("/e/tuple")
    assert (pair.status_code, pair.text, pair.headers["X-Mine"]) == (202, "mine", "yes")


GREETING = '''\
"""A greeting from the settings."""

import json

from werkzeug.wrappers import Request

from .runtime.service import dependency
from .runtime.web import http
from .settings import Settings


class Greetings:
    """Greets."""

    name = "greetings"
    settings: Settings = dependency(lambda service: service.settings)

    @http("GET", "/v1/greeting")
    def get_greeting(self, request: Request) -> str:
        return json.dumps({"greeting": self.settings.greeting})
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

import json

from werkzeug.wrappers import Request

from .items.model import ITEMS, ItemContent
from .runtime.service import store
from .runtime.web import http


class Transfers:
    """Moves quantities."""

    name = "transfers"
    items = store(ITEMS)

    @http("POST", "/v1/transfer")
    def transfer(self, request: Request) -> str:
        """Move a quantity from a new item to another one."""
        sent = request.get_json()
        with self.items.database.writing(seconds=20):
            made = self.items.create(ItemContent(name=sent["from"], quantity=5))
            self.items.patch(made.id, {"quantity": 2}, frozenset({made.revision}))
            seen = self.items.get(made.id)
            self.items.create(ItemContent(name=sent["to"], quantity=3))
        return json.dumps({"seen": seen.quantity})
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

import json
from typing import Any, ClassVar

from beaker.middleware import SessionMiddleware
from nameko_cron import cron
from nameko_prometheus import PrometheusMetrics
from nameko_tracer import Tracer
from werkzeug.wrappers import Request
from wsgicors import CORS

from .runtime.service import Service
from .runtime.web import http


class Visits:
    """Counts visits in a session, and the seconds of the clock."""

    name = "visits"
    tracer = Tracer()
    metrics = PrometheusMetrics()
    seconds: ClassVar[list[int]] = []

    @http("GET", "/v1/visits")
    def count(self, request: Request) -> str:
        session: dict[str, Any] = request.environ["beaker.session"]
        session["visits"] = session.get("visits", 0) + 1
        return json.dumps({"visits": session["visits"], "seconds": len(self.seconds)})

    @cron("* * * * * */1")
    def tick(self) -> None:
        self.seconds.append(1)


def add(app: Service) -> None:
    session = {"session.type": "cookie", "session.validate_key": "secret", "session.auto": True}
    app.wsgi_app = SessionMiddleware(app.wsgi_app, session)
    app.wsgi_app = CORS(
        app.wsgi_app, origin="https://app.example.com", methods="*", expose_headers="ETag"
    )
    app.add_service(Visits)
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
    assert [client.get("/v1/visits").json()["visits"] for _ in range(3)] == [1, 2, 3]
    wait_until(lambda: client.get("/v1/visits").json()["seconds"] > 1, 10, "the clock ticks")
    assert "visits" in client.get("/metrics").text


JOBS = '''\
"""Work beside requests."""

import json
import time
from typing import ClassVar

from werkzeug.wrappers import Request

from .runtime.jobs import timer
from .runtime.service import dependency
from .runtime.web import http


class Jobs:
    """A job that is done again and again, and a task after the response."""

    name = "jobs"
    tasks = dependency(lambda service: service.tasks)
    done: ClassVar[dict[str, int]] = {"ticks": 0, "tasks": 0}

    @timer(0.2)
    def tick(self) -> None:
        self.done["ticks"] += 1
        if self.done["ticks"] == 2:
            raise RuntimeError("once")

    @http("POST", "/v1/jobs")
    def spawn(self, request: Request) -> tuple[int, str]:
        self.tasks.spawn(self.work)
        return 202, "later"

    @http("GET", "/v1/jobs")
    def list_jobs(self, request: Request) -> str:
        return json.dumps(self.done)

    def work(self) -> None:
        time.sleep(2)
        self.done["tasks"] += 1
'''


def ask_of_jobs(client: httpx.Client) -> None:
    """The timer outlives an error; the task does not hold up its response."""
    before = time.monotonic()
    assert client.post("/v1/jobs").status_code == 202
    assert time.monotonic() - before < 1.9
    assert client.get("/v1/jobs").json()["tasks"] == 0
    wait_until(lambda: client.get("/v1/jobs").json()["tasks"] == 1, 10, "the task is done")
    wait_until(lambda: client.get("/v1/jobs").json()["ticks"] > 3, 10, "the timer ticks on")


PLAIN_STORE = '''\
"""Items that nobody is told of, by a handler that the document describes from its docstring."""

from pydantic import BaseModel
from werkzeug.wrappers import Request, Response

from .items.model import ITEMS
from .runtime.operations import operation
from .runtime.service import answer, dependency, read_content
from .runtime.store import Store
from .runtime.web import http


class Quietness(BaseModel):
    """How quiet it is."""

    decibels: int


class Quiet:
    """Creates items without an event."""

    name = "quiet"
    items = dependency(lambda service: Store(ITEMS, service.database))

    @http("POST", "/v1/quiet")
    def create_quietly(self, request: Request) -> Response:
        """Create an item in silence."""
        return answer(ITEMS, self.items.create(read_content(ITEMS, request)), request, 201)

    @http("GET", "/v1/quiet")
    @operation(answer=Quietness)
    def get_quietness(self, request: Request) -> str:
        """Measure."""
        return Quietness(decibels=7).model_dump_json()

    @http("GET", "/v1/quiet/words")
    def get_words(self, request: Request) -> str:
        """Say it."""
        return "hush"
'''


def ask_of_a_route_of_its_own(client: httpx.Client) -> None:
    assert client.post("/v1/quiet", json={"name": fresh_name()}).status_code == 201
    assert_invalid(client.post("/v1/quiet", json={"name": 7}), "/name")
    described = client.get("/openapi.json").json()["paths"]["/v1/quiet"]["post"]
    assert described["operationId"] == "createQuietly"
    assert described["summary"] == "Create an item in silence."
    measured = client.get("/v1/quiet")
    assert measured.json() == {"decibels": 7}
    assert measured.headers["Content-Type"] == "application/json", "not as the document says"
    assert client.get("/v1/quiet/words").headers["Content-Type"].startswith("text/plain")


def service(module: str, name: str, text: str) -> dict[str, Edit]:
    """The files of one more service class."""
    line, imports = f"app.add_service({name})", f"from .{module} import {name}\n"
    return {f"{{package}}/{module}.py": text, "{package}/app.py": added(line, imports=imports)}


def check(text: str) -> dict[str, Edit]:
    """The files of a check of who may call."""
    edit = added("app.before_request(check)", imports="from .access import check\n", before=True)
    return {"{package}/access.py": text, "{package}/app.py": edit}


def with_gateway() -> dict[str, Edit]:
    """Rooms and bookings, and what calls their methods."""
    rooms_and_bookings = ROOMS_AND_BOOKINGS["{package}/app.py"]
    gateway = added("app.add_service(Gateway)", imports="from .gateway import Gateway\n")
    assert callable(rooms_and_bookings)
    assert callable(gateway)
    files = ROOMS_AND_BOOKINGS | {
        "{package}/gateway.py": GATEWAY,
        "{package}/app.py": lambda text: gateway(rooms_and_bookings(text)),
    }
    for plural in ("rooms", "bookings"):
        copy = files[f"{{package}}/{plural}/service.py"]
        assert isinstance(copy, Copy)
        named = replaced((f"name = {plural.upper()}.plural", f'name = "{plural}-{MINE}"'))
        files[f"{{package}}/{plural}/service.py"] = copy.then(named)
    return files


CASES = [
    Case("O1 O2 O3 R7 R9", "rooms and bookings", ROOMS_AND_BOOKINGS, ask_of_rooms_and_bookings),
    Case("O1 O2 O11", "calls and events of rooms", with_gateway(), ask_of_calls_and_events),
    Case("O4", "a check of who may call", check(CHECK), ask_of_a_check),
    Case("O4", "a check that nobody awaits", check(FORGOTTEN), ask_of_a_coroutine),
    Case("O4", "a check that drops a coroutine", check(DROPPED), ask_of_a_coroutine),
    Case("O4", "a dependency that refuses", service("me", "Me", DEPENDENCY), ask_of_a_dependency),
    Case(
        "O6",
        "a setting",
        service("greeting", "Greetings", GREETING) | {"{package}/settings.py": SETTING},
        ask_of_a_setting,
        environment={"GREETING": "good day"},
    ),
    Case("O7", "errors", service("errors", "Errors", ERRORS), ask_of_errors),
    Case(
        "O10",
        "a transaction over two stores",
        service("transfer", "Transfers", TRANSFER),
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors session cron and traces",
        {
            "{package}/extensions.py": EXTENSIONS,
            "{package}/app.py": added(
                "extensions.add(app)", imports="\nfrom . import extensions\n"
            ),
        },
        ask_of_extensions,
        packages=("wsgicors", "beaker", "nameko-cron", "nameko-tracer", "nameko-prometheus"),
    ),
    Case(
        "O1",
        "a route of its own",
        service("quiet", "Quiet", PLAIN_STORE),
        ask_of_a_route_of_its_own,
    ),
    Case("O13", "jobs", service("jobs", "Jobs", JOBS), ask_of_jobs),
    growth("0002"),
    rules_of_nameko(),
    objects("0002"),
]
