"""What owners of a Tornado service do."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case, replaced
from tests.owner.cases.growth import growth
from tests.owner.cases.notes import NOTES
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import ask_of_an_unread_body, ask_of_rooms_and_bookings
from tests.owner.streams import ask_of_a_large_row, ask_of_a_stream_of_its_own

FIRST = "        *items.routes,\n"
IMPORT = "from .items import routes as items\n"
SERVICE = "    return Service(settings, CHECKS, routes)\n"


def with_routes(*modules: str) -> Callable[[str], str]:
    """An edit of `app.py`: the routes of these modules beside those of items."""
    imports = "".join(
        f"from . import {module}\n"
        if "." not in module
        else f"from .{module.partition('.')[0]} import routes as {module.partition('.')[0]}\n"
        for module in modules
    )
    lines = "".join(f"        *{module.partition('.')[0]}.routes,\n" for module in modules)
    return replaced((IMPORT, IMPORT + imports), (FIRST, FIRST + lines))


def with_service(imports: str, service: str) -> Callable[[str], str]:
    """An edit of `app.py`: another way to make the service."""
    return replaced((IMPORT, IMPORT + imports), (SERVICE, service))


ROOMS_AND_BOOKINGS = models() | {
    "{package}/rooms/routes.py": copied("room", "rooms"),
    "{package}/bookings/routes.py": copied("booking", "bookings"),
    "{package}/app.py": with_routes("rooms.routes", "bookings.routes"),
}

CHECK = '''\
"""Who may call."""

from .runtime.http import Problem
from .runtime.service import Handler


def check(handler: Handler) -> None:
    if handler.request.headers.get("Authorization") != "Bearer good":
        raise Problem(401, "Sign in first.", headers={"WWW-Authenticate": 'Bearer realm="x"'})
'''

ASYNC_CHECK = '''\
"""Who may call, as a service elsewhere knows."""

import asyncio

from .runtime.http import Problem
from .runtime.service import Handler


async def check(handler: Handler) -> None:
    if not await is_known(handler.request.headers.get("Authorization")):
        raise Problem(401, "Sign in first.", headers={"WWW-Authenticate": 'Bearer realm="x"'})


async def is_known(authorization: str | None) -> bool:
    await asyncio.sleep(0.01)
    return authorization == "Bearer good"
'''

# A handler whose own `prepare` does not call that of its base class.
PREPARED = '''\
"""A handler that prepares itself, and one that Tornado has."""

from tornado.web import RedirectHandler

from .runtime.service import Handler, route


class Prepared(Handler):
    async def prepare(self) -> None:
        self.name = "prepared"

    def get(self) -> None:
        """Say hello."""
        self.write({"hello": self.name})


routes = [
    route("/v1/prepared", Prepared),
    route("/v1/moved", RedirectHandler, {"url": "/v1/items"}),
]
'''

FORGOTTEN = '''\
"""A check that answers a question, and one that starts what nobody awaits."""

from collections.abc import Coroutine

from .runtime.service import Handler


def check(handler: Handler) -> object:
    if handler.request.path == "/v1/items":
        return verified()
    return handler.request.headers.get("Authorization") == "Bearer good"


async def verified() -> Coroutine[None, None, None]:
    return forgotten()


async def forgotten() -> None:
    """Let everyone in, if nobody awaited it."""
'''

UNAWAITED = '''\
"""A check that starts another one, and does not await it."""

from .runtime.http import Problem
from .runtime.service import Handler


ASYNC def check(handler: Handler) -> None:
    verify(handler)


async def verify(handler: Handler) -> None:
    raise Problem(401, "Sign in first.")
'''

SIGNED = {"Authorization": "Bearer good"}


def ask_of_a_check(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200, path
    large = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for method, path, body, headers in (
        ("GET", "/v1/items", b"", {}),
        ("GET", "/v1/items/7", b"", {}),
        ("GET", "/v1/nothing", b"", {}),
        ("GET", "/v1/prepared", b"", {}),
        ("GET", "/v1/moved", b"", {}),
        ("POST", "/v1/items", b'{"name": 7, "x": 1}', {"Content-Type": "application/json"}),
        ("POST", "/v1/items", b"{", large),
        ("PATCH", "/v1/items/7", b"", {}),
        ("DELETE", "/v1/items/7", b"", {"If-Match": '"x"'}),
    ):
        answer = client.request(method, path, content=body, headers=headers)
        problem = assert_problem(answer, 401)
        assert problem["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert_problem(client.get("/v1/items/stream", headers=handshake), 401)
    assert client.post("/v1/items", content=b"--", headers=form).status_code != 201
    assert client.get("/v1/items", headers=SIGNED).status_code == 200
    assert client.get("/v1/prepared", headers=SIGNED).json() == {"hello": "prepared"}
    assert client.get("/v1/moved", headers=SIGNED).headers["Location"] == "/v1/items"
    assert client.get("/v1/nothing", headers=SIGNED).status_code == 404
    ask_of_an_unread_body(client)


def ask_of_a_forgotten_check(client: httpx.Client) -> None:
    """What is not None is no permission, whoever asks."""
    for path in ("/v1/items", "/v1/items/7", "/v1/nothing"):
        for headers in ({}, SIGNED):
            assert_problem(client.get(path, headers=headers), 500)
    assert client.get("/livez").status_code == 200


ERRORS = '''\
"""The framework's own errors, and what else an owner raises."""

from pathlib import Path

from tornado.web import Finish, HTTPError, StaticFileHandler

from .runtime.http import Problem
from .runtime.service import Handler, route


class Refuse(Handler):
    def get(self, status: str) -> None:
        """Refuse."""
        self.set_header("X-Dropped", "by Tornado")
        raise HTTPError(int(status), "secret of %s", status, reason=f"because of {status}")


class Plain(Handler):
    def get(self) -> None:
        """Refuse without a reason."""
        raise HTTPError(403, "secret")


class SignIn(Handler):
    def get(self) -> None:
        """Refuse with a header."""
        self.set_header("WWW-Authenticate", 'Basic realm="x"')
        raise HTTPError(401, reason="Who are you")


class Finished(Handler):
    def get(self) -> None:
        """Refuse as Tornado's documentation has it."""
        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Basic realm="y"')
        raise Finish()


class Slow(Handler):
    def get(self) -> None:
        """Refuse for a while."""
        self.set_header("Retry-After", "7")
        self.send_error(429, reason="Not so fast")


class Problems(Handler):
    def get(self) -> None:
        """Refuse in the service's own way."""
        raise Problem(503, "Closed for lunch.", headers={"Retry-After": "60"})


class Argument(Handler):
    def get(self) -> None:
        """Ask for an argument."""
        self.write({"got": self.get_argument("wanted")})


class Broken(Handler):
    async def get(self) -> None:
        """Break."""
        raise RuntimeError("secret words")


class Own(Handler):
    def get(self) -> None:
        """Answer with an error of its own."""
        self.set_status(418)
        self.finish("mine")


routes = [
    route("/e/{status}/refused", Refuse),
    route("/e/plain", Plain),
    route("/e/sign-in", SignIn),
    route("/e/finished", Finished),
    route("/e/slow", Slow),
    route("/e/problem", Problems),
    route("/e/argument", Argument),
    route("/e/broken", Broken),
    (r"/e/own/(?P<anything>.*)", Own),
    (r"/files/(.*)", StaticFileHandler, {"path": Path(__file__).parent}),
]
'''


def ask_of_errors(client: httpx.Client) -> None:
    for status in (400, 403, 409, 410, 418, 422):
        answer = client.get(f"/e/{status}/refused")
        assert (answer.status_code, answer.json()["detail"]) == (status, f"because of {status}")
        assert "secret" not in answer.text
        assert "X-Dropped" not in answer.headers
    assert 'http_route="/e/{status}/refused"' in client.get("/metrics").text
    assert "secret" not in client.get("/e/plain").text
    assert_problem(client.get("/e/plain"), 403)
    sign_in = client.get("/e/sign-in")
    assert assert_problem(sign_in, 401)["detail"] == "Who are you"
    assert sign_in.headers["WWW-Authenticate"] == 'Basic realm="x"'
    finished = client.get("/e/finished")
    assert_problem(finished, 401)
    assert finished.headers["WWW-Authenticate"] == 'Basic realm="y"'
    slow = client.get("/e/slow")
    assert assert_problem(slow, 429)["detail"] == "Not so fast"
    assert slow.headers["Retry-After"] == "7"
    closed = client.get("/e/problem")
    assert assert_problem(closed, 503)["detail"] == "Closed for lunch."
    assert closed.headers["Retry-After"] == "60"
    assert client.get("/e/argument?wanted=x").json() == {"got": "x"}
    missing = assert_problem(client.get("/e/argument"), 400)
    assert missing["detail"] == "The argument wanted is missing."
    assert "secret" not in client.get("/e/broken").text
    assert_problem(client.get("/e/broken"), 500)
    ask_of_what_is_not_the_services(client)


def ask_of_what_is_not_the_services(client: httpx.Client) -> None:
    """Plain routes, and handlers of Tornado's own."""
    assert client.get("/files/errors.py").text.startswith('"""The framework')
    assert_problem(client.get("/files/none.py"), 404)
    assert_problem(client.get("/files/../../pyproject.toml"), 404)
    for path in ("/files/errors.py", "/files/none.py", "/e/broken"):
        answer = client.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-ID"]
        assert "Server" not in answer.headers
    document = client.get("/openapi.json").json()["paths"]
    assert document["/e/plain"]["get"]["summary"] == "Refuse without a reason."
    assert "/e/own/{anything}" in document
    assert not [path for path in document if path.startswith("/files")]
    own = client.get("/e/own/x")
    assert own.status_code == 500, "its method takes no argument"


GREETING = '''\
"""A greeting from the settings."""

from .runtime.service import Handler, route


class Greeting(Handler):
    def get(self) -> None:
        """Greet."""
        self.write({"greeting": self.application.service_settings.greeting})


routes = [route("/v1/greeting", Greeting)]
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
    document = client.get("/openapi.json").json()["paths"]["/v1/greeting"]["get"]
    assert (document["operationId"], document["summary"]) == ("getGreeting", "Greet.")


TRANSFER = '''\
"""Two items changed together, or neither."""

import json

from .items.model import ITEMS, ItemContent
from .runtime.service import Handler, route
from .runtime.stream import StreamedStore


class Transfer(Handler):
    async def post(self) -> None:
        """Move a quantity from a new item to another one."""
        sent = json.loads(self.request.body)
        self.write({"seen": await self.in_thread(self.transfer, sent["from"], sent["to"])})

    def transfer(self, source: str, target: str) -> int:
        database = self.application.database
        items = StreamedStore(ITEMS, database, self.application.stream)
        with database.writing(seconds=20):
            made = items.create(ItemContent(name=source, quantity=5))
            items.patch(made.id, {"quantity": 2}, frozenset({made.revision}))
            seen = items.get(made.id)
            items.create(ItemContent(name=target, quantity=3))
        return seen.quantity


routes = [route("/v1/transfer", Transfer)]
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
"""Libraries as their own documentation has them: webargs, Sentry, OpenTelemetry; and CORS."""

import json
from typing import Any

import sentry_sdk
from opentelemetry.instrumentation.tornado import TornadoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.integrations.tornado import TornadoIntegration
from sentry_sdk.transport import Transport
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform
from webargs import fields
from webargs.tornadoparser import HTTPError, use_args

from .runtime.http import invalid
from .runtime.service import Handler, route

ORIGIN = "https://app.example.com"
events: list[str] = []
spans = InMemorySpanExporter()


class Cors(OutputTransform):
    def __init__(self, request: HTTPServerRequest) -> None:
        self._is_allowed = request.headers.get("Origin") == ORIGIN

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        if self._is_allowed:
            headers["Access-Control-Allow-Origin"] = ORIGIN
            headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        return status_code, headers, chunk


class Remember(Transport):
    def capture_envelope(self, envelope: Any) -> None:
        event = envelope.get_event()
        if event is not None:
            events.append(event["exception"]["values"][0]["value"])


class Hello(Handler):
    def translated(self, error: Exception) -> Exception:
        if isinstance(error, HTTPError) and "query" in error.messages:
            ((name, (message, *_)), *_) = error.messages["query"].items()
            return invalid(name, message)
        return super().translated(error)

    @use_args({"name": fields.Str(required=True)}, location="query")
    async def get(self, args: dict[str, str]) -> None:
        """Greet a name that webargs reads."""
        self.set_signed_cookie("seen", args["name"])
        self.write({"hello": args["name"]})


class Seen(Handler):
    def get(self) -> None:
        """Who was greeted, as a signed cookie says."""
        self.write({"seen": (self.get_signed_cookie("seen") or b"").decode()})


class Broken(Handler):
    def get(self) -> None:
        """Break."""
        raise RuntimeError("of the inside")


class Told(Handler):
    def get(self) -> None:
        """What the libraries have seen."""
        names = [span.name for span in spans.get_finished_spans()]
        self.write(json.dumps({"events": events, "spans": names}))


def add() -> None:
    sentry_sdk.init(
        "http://key@localhost/1", integrations=[TornadoIntegration()], transport=Remember
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    TornadoInstrumentor().instrument(tracer_provider=provider)


routes = [
    route("/v1/hello", Hello),
    route("/v1/seen", Seen),
    route("/v1/broken", Broken),
    route("/v1/told", Told),
]
'''


def ask_of_extensions(client: httpx.Client) -> None:
    ask_of_cors(client)
    assert client.get("/v1/hello?name=Ada").json() == {"hello": "Ada"}
    assert client.get("/v1/seen").json() == {"seen": "Ada"}
    client.cookies.set("seen", "forged")
    assert client.get("/v1/seen", headers={"Cookie": "seen=forged"}).json() == {"seen": ""}
    missing = assert_problem(client.get("/v1/hello"), 422)
    assert missing["errors"][0]["pointer"] == "name"
    assert_problem(client.get("/v1/broken"), 500)
    assert_problem(client.get("/v1/nothing"), 404)
    told = client.get("/v1/told").json()
    assert told["events"] == ["of the inside"]
    assert told["spans"].count("GET") >= 8, told["spans"]
    assert client.get("/v1/items").headers["Content-Type"] == "application/json"
    assert client.get("/readyz").status_code == 200


def ask_of_cors(client: httpx.Client) -> None:
    origin = {"Origin": "https://app.example.com"}
    allowed = "Access-Control-Allow-Origin"
    assert client.get("/v1/items", headers=origin).headers[allowed] == origin["Origin"]
    assert allowed not in client.get("/v1/items", headers={"Origin": "https://evil"}).headers
    sent = origin | {"Content-Type": "application/json"}
    large = client.post("/v1/items", content=b" " * 1_048_577, headers=sent)
    assert_problem(large, 413)
    assert large.headers[allowed] == origin["Origin"]
    chunked = client.post("/v1/items", content=iter([b" " * 700_000] * 2), headers=sent)
    assert_problem(chunked, 413)
    assert chunked.headers[allowed] == origin["Origin"]
    long = client.get("/v1/items", headers=origin | {"X-Long": "x" * 33_000})
    assert_problem(long, 431)
    assert long.headers[allowed] == origin["Origin"]
    assert client.get("/v1/nothing", headers=origin).headers[allowed] == origin["Origin"]
    asked = origin | {"Access-Control-Request-Method": "POST"}
    preflight = client.options("/v1/items", headers=asked)
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


JOBS = '''\
"""A job beside requests, and a task after the response."""

import asyncio

from .items.model import ITEMS, ItemContent
from .runtime.service import Handler, Service, route
from .runtime.store import Store


def add_jobs(service: Service) -> Service:
    async def tidy() -> None:
        await asyncio.to_thread(touch, service)

    service.every(0.2, tidy)
    return service


def touch(service: Service) -> None:
    """Write into the database, for longer than a request may."""
    items = Store(ITEMS, service.database)
    with service.database.writing(seconds=60):
        items.create(ItemContent(name=f"tidy {asyncio.__name__} {len(runs)}"))
    runs.append(1)
    if len(runs) == 2:
        raise RuntimeError("a job that fails once")


runs: list[int] = []
done: list[str] = []


class Work(Handler):
    async def post(self) -> None:
        """Answer now, and work later."""
        self.set_status(202)
        self.finish()
        self.application.create_task(self.work())

    async def work(self) -> None:
        await asyncio.sleep(2)
        done.append("work")

    def get(self) -> None:
        """What was done."""
        self.write({"done": len(done), "runs": len(runs)})


routes = [route("/v1/work", Work)]
'''


def ask_of_jobs(client: httpx.Client) -> None:
    started = time.monotonic()
    assert client.post("/v1/work").status_code == 202
    assert time.monotonic() - started < 1.9, "the answer waited for the task"
    deadline = time.monotonic() + 10
    while (now := client.get("/v1/work").json())["done"] < 1 or now["runs"] < 4:
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    metrics = client.get("/metrics").text
    (line,) = (
        line
        for line in metrics.splitlines()
        if "duration_seconds_sum" in line and 'status_code="202"' in line
    )
    assert float(line.rpartition(" ")[2]) < 1.9, line
    names = [item["name"] for item in client.get("/v1/items").json()["items"]]
    assert len([name for name in names if name.startswith("tidy")]) >= 4


UPLOADS = '''\
"""A body that is read as it arrives."""

from tornado.web import stream_request_body

from .runtime.service import Handler, route


@stream_request_body
class Upload(Handler):
    size = 0

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def put(self) -> None:
        """Tell how much has arrived."""
        self.write({"size": self.size})


routes = [route("/v1/upload", Upload)]
'''


def ask_of_uploads(client: httpx.Client) -> None:
    """The limits hold for them too, and what is cut off is not taken for complete."""
    assert client.put("/v1/upload", content=b"x" * 1_000_000).json() == {"size": 1_000_000}
    chunks = [b"x" * 100_000] * 9
    assert client.put("/v1/upload", content=iter(chunks)).json() == {"size": 900_000}
    assert_problem(client.put("/v1/upload", content=b"x" * 1_048_577), 413)
    assert_problem(client.put("/v1/upload", content=iter([b"x" * 700_000] * 2)), 413)
    assert client.get("/livez").status_code == 200


CASES = [
    Case("O1 O2 O3 R7 R9", "rooms and bookings", ROOMS_AND_BOOKINGS, ask_of_rooms_and_bookings),
    Case("O1", "streams of rooms and of items", ROOMS_AND_BOOKINGS, ask_of_a_stream_of_its_own),
    Case(
        "O1",
        "a row that no notification holds",
        NOTES
        | {
            "{package}/notes/routes.py": copied("note", "notes"),
            "{package}/app.py": with_routes("notes.routes"),
        },
        ask_of_a_large_row,
    ),
    *(
        Case(
            "O4",
            f"{kind} check of who may call",
            {
                "{package}/access.py": check,
                "{package}/prepared.py": PREPARED,
                "{package}/app.py": lambda text: with_service(
                    "from .access import check\n",
                    "    return Service(settings, CHECKS, routes, check=check)\n",
                )(with_routes("prepared")(text)),
            },
            ask_of_a_check,
        )
        for kind, check in (("a", CHECK), ("an async", ASYNC_CHECK))
    ),
    Case(
        "O4",
        "a check that raises nothing",
        {
            "{package}/access.py": FORGOTTEN,
            "{package}/app.py": with_service(
                "from .access import check\n",
                "    return Service(settings, CHECKS, routes, check=check)  # type: ignore\n",
            ),
        },
        ask_of_a_forgotten_check,
    ),
    *(
        Case(
            "O4",
            f"{kind} check that awaits nothing",
            {
                "{package}/access.py": UNAWAITED.replace("ASYNC def", definition),
                "{package}/app.py": with_service(
                    "from .access import check\n",
                    "    return Service(settings, CHECKS, routes, check=check)\n",
                ),
            },
            ask_of_a_forgotten_check,
        )
        for kind, definition in (("a", "def"), ("an async", "async def"))
    ),
    Case(
        "O6",
        "a setting",
        {
            "{package}/greeting.py": GREETING,
            "{package}/settings.py": SETTING,
            "{package}/app.py": with_routes("greeting"),
        },
        ask_of_a_setting,
        environment={"GREETING": "good day"},
    ),
    Case(
        "O7",
        "errors",
        {"{package}/errors.py": ERRORS, "{package}/app.py": with_routes("errors")},
        ask_of_errors,
    ),
    Case(
        "O10",
        "a transaction over two stores",
        {"{package}/transfer.py": TRANSFER, "{package}/app.py": with_routes("transfer")},
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors cookies webargs sentry opentelemetry",
        {
            "{package}/extensions.py": EXTENSIONS,
            "{package}/app.py": lambda text: with_service(
                "",
                "    extensions.add()\n"
                "    return Service(\n"
                "        settings,\n"
                "        CHECKS,\n"
                "        routes,\n"
                "        transforms=[extensions.Cors],\n"
                '        cookie_secret="for signed cookies",\n'
                "    )\n",
            )(with_routes("extensions")(text)),
        },
        ask_of_extensions,
        packages=(
            "webargs",
            "sentry-sdk",
            "opentelemetry-sdk",
            "opentelemetry-instrumentation-tornado",
        ),
    ),
    Case(
        "O13",
        "a job and a task",
        {
            "{package}/jobs.py": JOBS,
            "{package}/app.py": lambda text: with_service(
                "", "    return jobs.add_jobs(Service(settings, CHECKS, routes))\n"
            )(with_routes("jobs")(text)),
        },
        ask_of_jobs,
    ),
    Case(
        "E2",
        "uploads",
        {"{package}/uploads.py": UPLOADS, "{package}/app.py": with_routes("uploads")},
        ask_of_uploads,
    ),
    growth(),
    rules("StreamedStore", "stream"),
    objects(),
]
