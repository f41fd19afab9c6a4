"""What owners of a Falcon service do."""

from __future__ import annotations

import httpx

from tests.contract.items import assert_problem
from tests.owner.case import Case, Edit, replaced
from tests.owner.cases.flask import (
    SETTING,
    ask_of_a_check,
    ask_of_a_setting,
    ask_of_a_transaction,
)
from tests.owner.cases.growth import growth
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import ask_of_rooms_and_bookings, ask_of_work_beside_requests

FIRST = "    items.add_routes(app)\n"


def added(*lines: str, imports: str) -> Edit:
    """An edit of `app.py`: imports, and lines in `create_app` after those of items."""
    block = "".join(f"    {line}\n" for line in lines)
    return replaced(
        ("from .settings import Settings\n", f"from .settings import Settings\n{imports}\n"),
        (FIRST, FIRST + block),
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
        (FIRST, FIRST + "    rooms.add_routes(app)\n    bookings.add_routes(app)\n"),
    ),
}

GUARD = '''\
"""Who may call."""

from falcon import HTTPUnauthorized, Request, Response


class Guard:
    def process_request(self, req: Request, resp: Response) -> None:
        if req.get_header("Authorization") != "Bearer good":
            raise HTTPUnauthorized(description="Sign in first.", challenges=['Bearer realm="x"'])
'''

FORGOTTEN = '''\
"""Hooks that are coroutines, which nothing would await."""

import falcon
from falcon import Request, Response

from .runtime.service import Service


async def check(req: Request, resp: Response, resource: object, params: object) -> None:
    raise falcon.HTTPUnauthorized


class Guard:
    async def process_request(self, req: Request, resp: Response) -> None:
        raise falcon.HTTPUnauthorized


class Report:
    @falcon.before(check)
    def on_get(self, req: Request, resp: Response) -> None:
        resp.media = {}


def add(app: Service) -> None:
    rejected = []
    for attempt in (
        lambda: app.add_middleware(Guard()),
        lambda: app.add_route("/v1/report", Report()),
    ):
        try:
            attempt()
        except Exception as error:
            rejected.append(type(error).__name__)
    app.add_route("/v1/rejected", Rejected(rejected))


class Rejected:
    def __init__(self, rejected: list[str]) -> None:
        self._rejected = rejected

    def on_get(self, req: Request, resp: Response) -> None:
        resp.media = self._rejected
'''


def ask_of_coroutines(client: httpx.Client) -> None:
    """Each is an error when the application is created: it is never a check that lets pass."""
    assert client.get("/v1/rejected").json() == ["CompatibilityError", "TypeError"]
    assert_problem(client.get("/v1/report"), 404)
    assert client.get("/v1/items").status_code == 200


HOOK = '''\
"""A report for those who may see it."""

from typing import Any

import falcon
from falcon import Request, Response

from .items.model import ITEMS
from .runtime.operations import operation


def may_read(req: Request, resp: Response, resource: object, params: dict[str, Any]) -> None:
    if req.get_header("X-Role") != "auditor":
        raise falcon.HTTPForbidden(description="Auditors only.")


@falcon.before(may_read)
class Report:
    @operation(problems=(403,))
    def on_get(self, req: Request, resp: Response) -> None:
        """Summarise the stock."""
        resp.media = {"items": 0}

    @operation(status=204, problems=(409,), resource=ITEMS)
    def on_delete(self, req: Request, resp: Response) -> None:
        """Forget the report."""
        raise falcon.HTTPConflict(description="It is being read.")

    def on_post_again(self, req: Request, resp: Response) -> None:
        """Make the report again."""
        resp.status = falcon.HTTP_202
'''


def ask_of_a_hook(client: httpx.Client) -> None:
    assert assert_problem(client.get("/v1/report"), 403)["detail"] == "Auditors only."
    auditor = {"X-Role": "auditor"}
    assert client.get("/v1/report", headers=auditor).json() == {"items": 0}
    assert client.post("/v1/report/again", headers=auditor).status_code == 202
    assert_problem(client.delete("/v1/report", headers=auditor), 409)
    paths = client.get("/openapi.json").json()["paths"]
    described = paths["/v1/report"]["get"]
    assert (described["operationId"], described["summary"]) == ("getReport", "Summarise the stock.")
    assert "403" in described["responses"]
    assert paths["/v1/report/again"]["post"]["operationId"] == "postAgainReport"
    assert "409" in paths["/v1/report"]["delete"]["responses"], "no constraint has to allow it"


ERRORS = '''\
"""The framework's own errors, and what else an owner raises."""

from datetime import UTC, datetime
from typing import Any, NoReturn

import falcon
from falcon import Request, Response

from .runtime.http import Problem
from .runtime.service import Service


class Refusal:
    def on_get(self, req: Request, resp: Response, status: int) -> NoReturn:
        raise falcon.HTTPError(status, description=f"because of {status}")


class Named:
    def on_get(self, req: Request, resp: Response, name: str) -> None:
        if name == "titled":
            raise falcon.HTTPConflict(
                title="Too hot", description="let it cool", code=7, href="https://example.com/hot"
            )
        if name == "unauthorized":
            challenge = 'Bearer realm="x"'
            raise falcon.HTTPUnauthorized(description="who are you", challenges=[challenge])
        if name == "slow":
            raise falcon.HTTPTooManyRequests(description="not so fast", retry_after=7)
        if name == "closed":
            raise falcon.HTTPServiceUnavailable(
                description="closed for lunch", retry_after=datetime(2040, 1, 1, tzinfo=UTC)
            )
        if name == "gone":
            raise KeyError("secret name")
        if name == "elsewhere":
            raise falcon.HTTPFound("/v1/items")
        if name == "own":
            raise falcon.HTTPStatus(418, {"X-Mine": "yes"}, "mine")
        if name == "unwritable":
            resp.media = {"at": object()}
            return
        raise RuntimeError("secret words")


def answer_key_error(
    req: Request, resp: Response, error: Exception, params: dict[str, Any]
) -> None:
    raise Problem(410, "It was here once.")


def add_routes(app: Service) -> None:
    app.add_route("/e/{status:int(3)}", Refusal())
    app.add_route("/named/{name}", Named())
    app.add_error_handler(KeyError, answer_key_error)
'''


def ask_of_errors(client: httpx.Client) -> None:
    for status in (400, 403, 409, 410, 418, 422):
        answer = client.get(f"/e/{status}")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["detail"]) == (status, f"because of {status}")
    assert 'http_route="/e/{status}"' in client.get("/metrics").text
    assert "int" not in "".join(client.get("/openapi.json").json()["paths"])
    titled = client.get("/named/titled")
    assert titled.status_code == 409
    assert titled.json()["title"] == "Too hot"
    assert titled.json()["detail"] == "let it cool"
    assert titled.json()["code"] == 7
    assert titled.json()["link"]["href"] == "https://example.com/hot"
    unauthorized = client.get("/named/unauthorized")
    assert assert_problem(unauthorized, 401)["detail"] == "who are you"
    assert unauthorized.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    slow = client.get("/named/slow")
    assert assert_problem(slow, 429)["detail"] == "not so fast"
    assert slow.headers["Retry-After"] == "7"
    closed = client.get("/named/closed")
    assert assert_problem(closed, 503)["detail"] == "closed for lunch"
    assert closed.headers["Retry-After"] == "Sun, 01 Jan 2040 00:00:00 GMT"
    assert assert_problem(client.get("/named/gone"), 410)["detail"] == "It was here once."
    for broken in ("broken", "unwritable"):
        assert_problem(client.get(f"/named/{broken}"), 500)
        assert "secret" not in client.get(f"/named/{broken}").text
    elsewhere = client.get("/named/elsewhere")
    assert (elsewhere.status_code, elsewhere.headers["Location"]) == (302, "/v1/items")
    own = client.get("/named/own")
    assert (own.status_code, own.text, own.headers["X-Mine"]) == (418, "mine", "yes")


GREETING = '''\
"""A greeting from the settings."""

from falcon import Request, Response


class Greeting:
    def __init__(self, greeting: str) -> None:
        self._greeting = greeting

    def on_get(self, req: Request, resp: Response) -> None:
        """Greet."""
        resp.media = {"greeting": self._greeting}
'''

TRANSFER = '''\
"""Two items changed together, or neither."""

from falcon import Request, Response

from .items.model import ITEMS, ItemContent
from .runtime.database import Database
from .runtime.store import Store


class Transfer:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._items = Store(ITEMS, database)

    def on_post(self, req: Request, resp: Response) -> None:
        """Move a quantity from a new item to another one."""
        sent = req.get_media()
        with self._database.writing(seconds=20):
            made = self._items.create(ItemContent(name=sent["from"], quantity=5))
            self._items.patch(made.id, {"quantity": 2}, frozenset({made.revision}))
            seen = self._items.get(made.id)
            self._items.create(ItemContent(name=sent["to"], quantity=3))
        resp.media = {"seen": seen.quantity}
'''

EXTENSIONS = '''\
"""Extensions, as their own documentation has them."""

from typing import Any

import falcon
from dateutil.relativedelta import relativedelta
from falcon import Request, Response
from falcon_auth2 import AuthMiddleware
from falcon_auth2.backends import BasicAuthBackend
from falcon_rate_limiter import FalconRateLimiter

from .runtime.service import Service

limiter = FalconRateLimiter()
PASSWORDS = {"ada": "lovelace"}


def user_of(attributes: dict[str, Any], name: str, password: str) -> str | None:
    return name if PASSWORDS.get(name) == password else None


@limiter.rate_limit(requests=10, per=relativedelta(minutes=1))
class Rationed:
    auth = {"auth_disabled": True}

    def on_get(self, req: Request, resp: Response) -> None:
        """Take one."""
        resp.media = {"left": "some"}


class Profile:
    def on_get(self, req: Request, resp: Response) -> None:
        """Say who you are."""
        resp.media = {"user": req.context.auth["user"]}


OPEN = ["/v1/items"]


def add(app: Service) -> None:
    app.add_middleware(
        falcon.CORSMiddleware(allow_origins="https://app.example.com", expose_headers="ETag")
    )
    app.add_middleware(AuthMiddleware(BasicAuthBackend(user_of), exempt_templates=OPEN))
    app.add_route("/v1/rationed", Rationed())
    app.add_route("/v1/profile", Profile())
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
    unknown = client.get("/v1/profile")
    assert_problem(unknown, 401)
    assert unknown.headers["WWW-Authenticate"].startswith("Basic")
    assert client.get("/v1/profile", auth=("ada", "lovelace")).json() == {"user": "ada"}
    assert_problem(client.get("/v1/profile", auth=("ada", "byron")), 401)
    answers = [client.get("/v1/rationed").status_code for _ in range(12)]
    assert answers == [200] * 10 + [429] * 2
    assert_problem(client.get("/v1/rationed"), 429)
    assert client.get("/readyz").status_code == 200


BESIDE = '''\
"""Work beside requests: a periodic job, and a task that outlives the response."""

import time
from functools import partial

from falcon import HTTP_202, Request, Response

from .items.model import ITEMS, ItemContent
from .runtime.background import every, submit
from .runtime.resource import PageRequest
from .runtime.service import Service
from .runtime.store import Store


def add(app: Service) -> None:
    every(0.2, partial(delete_old, Store(ITEMS, app.database)))
    app.add_route("/v1/letters/{name}", Letters(Store(ITEMS, app.database)))


def delete_old(items: Store) -> None:
    for item in items.page(PageRequest()).rows:
        if item.name.startswith("old"):
            items.delete(item.id)


class Letters:
    def __init__(self, items: Store) -> None:
        self._items = items

    def on_post(self, req: Request, resp: Response, name: str) -> None:
        """Send a letter."""
        submit(self._send, name)
        resp.status = HTTP_202

    def _send(self, name: str) -> None:
        time.sleep(2)
        if name == "unknown":
            raise LookupError(name)
        self._items.create(ItemContent(name=name))
'''


CASES = [
    Case("O1 O2 O3 R7 R9", "rooms and bookings", ROOMS_AND_BOOKINGS, ask_of_rooms_and_bookings),
    Case(
        "O4",
        "a check of who may call",
        {
            "{package}/access.py": GUARD,
            "{package}/app.py": added(
                "app.add_middleware(Guard())", imports="from .access import Guard"
            ),
        },
        ask_of_a_check,
    ),
    Case(
        "O4",
        "checks that nobody awaits",
        {
            "{package}/access.py": FORGOTTEN,
            "{package}/app.py": added("access.add(app)", imports="from . import access"),
        },
        ask_of_coroutines,
    ),
    Case(
        "O4",
        "a hook",
        {
            "{package}/report.py": HOOK,
            "{package}/app.py": added(
                'app.add_route("/v1/report", Report())',
                'app.add_route("/v1/report/again", Report(), suffix="again")',
                imports="from .report import Report",
            ),
        },
        ask_of_a_hook,
    ),
    Case(
        "O6",
        "a setting",
        {
            "{package}/greeting.py": GREETING,
            "{package}/settings.py": SETTING,
            "{package}/app.py": added(
                'app.add_route("/v1/greeting", Greeting(app.settings.greeting))',
                imports="from .greeting import Greeting",
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
            "{package}/app.py": added("errors.add_routes(app)", imports="from . import errors"),
        },
        ask_of_errors,
    ),
    Case(
        "O10",
        "a transaction over two stores",
        {
            "{package}/transfer.py": TRANSFER,
            "{package}/app.py": added(
                'app.add_route("/v1/transfer", Transfer(app.database))',
                imports="from .transfer import Transfer",
            ),
        },
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors limits and sign in",
        {
            "{package}/extensions.py": EXTENSIONS,
            "{package}/app.py": added("extensions.add(app)", imports="from . import extensions"),
        },
        ask_of_extensions,
        packages=("falcon-auth2", "falcon-rate-limiter"),
    ),
    Case(
        "O13",
        "a job and a task",
        {
            "{package}/beside.py": BESIDE,
            "{package}/app.py": added("beside.add(app)", imports="from . import beside"),
        },
        ask_of_work_beside_requests,
    ),
    growth(),
    rules(),
    objects(),
]
