"""What owners of a FastAPI service do."""

from __future__ import annotations

import time

import httpx

from tests.contract.items import assert_invalid, assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced
from tests.owner.cases.growth import growth
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import ask_of_an_unread_body, ask_of_rooms_and_bookings

IMPORT = "from fastapi import FastAPI\n"
SERVICE = "Service(settings, CHECKS)"
FIRST = "    app.include_router(items.router)\n"


def added(*lines: str, imports: str, options: str = "", fastapi: str = "FastAPI") -> Edit:
    """An edit of `app.py`: imports, options of the service, and lines in `create_app`."""
    return replaced(
        (IMPORT, f"from fastapi import {fastapi}\n\n{imports}"),
        (SERVICE, f"Service(settings, CHECKS{options})"),
        (FIRST, FIRST + "".join(f"    {line}\n" for line in lines)),
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
            FIRST + "    app.include_router(rooms.router)\n"
            "    app.include_router(bookings.router)\n",
        ),
    ),
}

CHECK = '''\
"""Who may call."""

from fastapi import Request

from .runtime.http import Problem


{kind} check(request: Request) -> None:
    if request.headers.get("Authorization") != "Bearer good":
        raise Problem(401, "Sign in first.", headers={{"WWW-Authenticate": 'Bearer realm="x"'}})
'''

# A route of an owner who knows FastAPI and has not looked into `runtime/`.
PLAIN = '''\
"""Routes as FastAPI's documentation has them."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel

router = APIRouter(prefix="/v1/orders", tags=["orders"])


class Order(BaseModel):
    name: str
    count: int = 1


@router.post("", status_code=201)
async def create_order(order: Order) -> Order:
    return order


@router.post("/counts")
def set_count(count: Annotated[int, Body(embed=True)]) -> dict[str, int]:
    return {"count": count}


@router.get("/{number}")
def show_order(number: int, parts: int = 0) -> dict[str, int]:
    return {"number": number, "parts": parts}
'''

GUARDED = added(
    "app.include_router(orders.router)",
    imports="from . import orders\nfrom .access import check\n",
    options=", dependencies=[Depends(check)]",
    fastapi="Depends, FastAPI",
)


def ask_of_a_check(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    sent = {"Content-Type": "application/json"}
    packed = sent | {"Content-Encoding": "gzip"}
    for method, path, body, headers in (
        ("GET", "/v1/items", b"", {}),
        ("GET", "/v1/items?limit=x", b"", {}),
        ("POST", "/v1/items", b'{"name": 7, "x": 1}', sent),
        ("POST", "/v1/items", b"{", packed),
        ("POST", "/v1/items", b"{", {"Content-Type": "text/plain"}),
        ("PUT", "/v1/items/7", b"[" * 100_000, sent),
        ("PATCH", "/v1/items/7", b"", {}),
        ("PATCH", "/v1/items/7", b"\xff", sent),
        ("DELETE", "/v1/items/7", b"", {"If-Match": '"x"'}),
        ("POST", "/v1/orders", b"{", sent),
        ("POST", "/v1/orders", b'{"count": "x"}', sent),
        ("POST", "/v1/orders/counts", b"", sent),
    ):
        answer = client.request(method, path, content=body, headers=headers)
        problem = assert_problem(answer, 401)
        assert problem["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    signed = {"Authorization": "Bearer good"}
    assert client.get("/v1/items", headers=signed).status_code == 200
    assert_problem(client.post("/v1/items", content=b"{", headers=signed | sent), 400)
    assert_problem(client.post("/v1/orders", content=b"{", headers=signed | sent), 400)
    # The README says that a path without a route is not found, whoever asks.
    assert_problem(client.get("/v1/nothing"), 404)
    ask_of_an_unread_body(client)


def ask_of_plain_routes(client: httpx.Client) -> None:
    """FastAPI's own ways of reading a body, and what becomes of values that it rejects."""
    created = client.post("/v1/orders", json={"name": "bolt", "count": "3"})
    assert (created.status_code, created.json()) == (201, {"name": "bolt", "count": 3})
    assert client.post("/v1/orders/counts", json={"count": 3}).json() == {"count": 3}
    assert_invalid(client.post("/v1/orders/counts", json={"count": "x"}), "/count")
    assert_invalid(client.post("/v1/orders", json={"count": 1}), "/name")
    assert client.get("/v1/orders/7?parts=2").json() == {"number": 7, "parts": 2}
    assert_invalid(client.get("/v1/orders/seven"), "number")
    assert_invalid(client.get("/v1/orders/7?parts=x"), "parts")
    assert_problem(client.post("/v1/orders", content=b""), 400)
    assert_problem(client.post("/v1/orders", content=b"{}"), 415)
    described = client.get("/openapi.json").json()["paths"]["/v1/orders"]["post"]
    assert {"201", "400", "413", "415", "422", "500"} <= set(described["responses"])
    assert client.options("/v1/orders").headers["Allow"] == "OPTIONS, POST"


FORGOTTEN = '''\
"""Who may call: a coroutine that nobody awaits."""

from fastapi import HTTPException


async def verify() -> None:
    raise HTTPException(401)


{check}
'''
FORGETFUL = {
    "returned": "def check() -> object:\n    return verify()",
    "dropped": "async def check() -> None:\n    verify()",
    "dropped in a thread": "def check() -> None:\n    verify()",
}


def ask_of_a_coroutine(client: httpx.Client) -> None:
    for _ in range(2):
        assert_problem(client.post("/v1/items", json={"name": fresh_name()}), 500)
        assert_problem(client.get("/v1/items"), 500)
    assert client.get("/livez").status_code == 200


BEARER = '''\
"""Who may call, in FastAPI's own words; the document says so."""

from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

bearer = HTTPBearer()


async def check(sent: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> None:
    if sent.credentials != "good":
        raise HTTPException(403, "That token is not good.", {"X-Why": "token"})
'''

GUARDED_ITEMS = replaced(
    (IMPORT, "from fastapi import Depends, FastAPI\n\nfrom .access import check\n"),
    (
        FIRST,
        "    app.include_router(\n"
        "        items.router, dependencies=[Depends(check)], responses=problems(401, 403)\n"
        "    )\n",
    ),
    ("from .runtime.service", "from .runtime.openapi import problems\nfrom .runtime.service"),
)


def ask_of_a_security_scheme(client: httpx.Client) -> None:
    nobody = client.post("/v1/items", content=b"{")
    assert_problem(nobody, 401)
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    bad = client.get("/v1/items", headers={"Authorization": "Bearer bad"})
    assert assert_problem(bad, 403)["detail"] == "That token is not good."
    assert bad.headers["X-Why"] == "token"
    assert client.get("/v1/items", headers={"Authorization": "Bearer good"}).status_code == 200
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/items"]["post"]
    assert operation["security"] == [{"HTTPBearer": []}]
    assert set(document["components"]["securitySchemes"]) == {"HTTPBearer"}
    assert set(operation["responses"]["401"]["content"]) == {"application/problem+json"}
    assert "security" not in document["paths"]["/livez"]["get"]


ERRORS = '''\
"""The framework's own errors, and what else an owner raises."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, model_validator

from .runtime.http import Problem

router = APIRouter(prefix="/e")


class Range(BaseModel):
    first: int = 0
    last: int = 9

    @model_validator(mode="after")
    def in_order(self) -> "Range":
        if self.first > self.last:
            raise ValueError("first must not be greater than last")
        return self


@router.get("/range")
async def get_range(wanted: Annotated[Range, Query()]) -> Range:
    return wanted


@router.get("/plain")
async def refuse_plainly() -> None:
    raise HTTPException(403)


@router.get("/unauthorized")
def ask_to_sign_in() -> None:
    raise HTTPException(401, "who are you", {"WWW-Authenticate": 'Bearer realm="x"'})


@router.get("/slow")
async def slow_down() -> None:
    raise HTTPException(429, "not so fast", {"Retry-After": "7"})


@router.get("/many")
async def say_more() -> None:
    raise HTTPException(409, {"held_by": ["bolt", "nut"]})


@router.get("/gone")
async def gone() -> None:
    raise KeyError("secret name")


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError("secret words")


@router.get("/elsewhere")
async def elsewhere() -> RedirectResponse:
    return RedirectResponse("/v1/items", 303)


@router.get("/moved")
async def moved() -> None:
    raise HTTPException(308, headers={"Location": "/v1/items"})


@router.get("/own")
async def own() -> Response:
    return Response("mine", 418, {"X-Mine": "yes"})


@router.get("/{status}")
async def refuse(status: int) -> None:
    raise HTTPException(status, f"because of {status}")


async def answer_key_error(request: Request, error: Exception) -> Response:
    raise Problem(410, "It was here once.")


def add(app: FastAPI) -> None:
    app.include_router(router)
    app.add_exception_handler(KeyError, answer_key_error)
'''


def ask_of_errors(client: httpx.Client) -> None:
    for status in (400, 403, 409, 410, 418, 422, 451):
        answer = client.get(f"/e/{status}")
        assert (answer.status_code, answer.json()["detail"]) == (status, f"because of {status}")
    assert 'http_route="/e/{status}"' in client.get("/metrics").text
    assert_problem(client.get("/e/plain"), 403)
    unauthorized = client.get("/e/unauthorized")
    assert assert_problem(unauthorized, 401)["detail"] == "who are you"
    assert unauthorized.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    slow = client.get("/e/slow")
    assert assert_problem(slow, 429)["detail"] == "not so fast"
    assert slow.headers["Retry-After"] == "7"
    assert "bolt" in assert_problem(client.get("/e/many"), 409)["detail"]
    assert assert_problem(client.get("/e/gone"), 410)["detail"] == "It was here once."
    assert "secret" not in client.get("/e/broken").text
    assert_problem(client.get("/e/broken"), 500)
    assert_invalid(client.get("/e/range?first=3&last=2"), "")
    assert_invalid(client.get("/e/range?first=x"), "first")
    for path, status in (("/e/elsewhere", 303), ("/e/moved", 308)):
        elsewhere = client.get(path)
        assert (elsewhere.status_code, elsewhere.headers["Location"]) == (status, "/v1/items")
    own = client.get("/e/own")
    assert (own.status_code, own.text, own.headers["X-Mine"]) == (418, "mine", "yes")


GREETING = '''\
"""A greeting from the settings."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from .settings import Settings

router = APIRouter()


async def read_settings(request: Request) -> Settings:
    settings: Settings = request.app.settings
    return settings


@router.get("/v1/greeting")
async def get_greeting(settings: Annotated[Settings, Depends(read_settings)]) -> dict[str, str]:
    return {"greeting": settings.greeting}
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

from fastapi import APIRouter, Request
from pydantic import BaseModel

from .items.model import ITEMS, ItemContent
from .runtime.database import Database
from .runtime.service import database, in_thread
from .runtime.store import Store

router = APIRouter()


class Transfer(BaseModel):
    source: str
    target: str


@router.post("/v1/transfer")
async def transfer(request: Request, wanted: Transfer) -> dict[str, int]:
    return {"seen": await in_thread(request, move, database(request), wanted)}


@router.post("/v1/transfer-in-a-thread-of-fastapi")
def transfer_here(request: Request, wanted: Transfer) -> dict[str, int]:
    return {"seen": move(database(request), wanted)}


def move(database: Database, wanted: Transfer) -> int:
    """Move a quantity from a new item to another one."""
    items = Store(ITEMS, database)
    with database.writing(seconds=20):
        made = items.create(ItemContent(name=wanted.source, quantity=5))
        items.patch(made.id, {"quantity": 2}, frozenset({made.revision}))
        seen = items.get(made.id)
        items.create(ItemContent(name=wanted.target, quantity=3))
    return seen.quantity
'''


def ask_of_a_transaction(client: httpx.Client) -> None:
    for path in ("/v1/transfer", "/v1/transfer-in-a-thread-of-fastapi"):
        first, second, third = fresh_name("from"), fresh_name("to"), fresh_name("third")
        done = client.post(path, json={"source": first, "target": second})
        assert done.json() == {"seen": 2}
        taken = client.post(path, json={"source": third, "target": second})
        assert_problem(taken, 409)
        names = [item["name"] for item in client.get("/v1/items").json()["items"]]
        assert first in names
        assert third not in names, "half of a transaction was stored"


EXTENSIONS = '''\
"""Extensions, as their own documentation has them."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi_pagination import Page, add_pagination, paginate
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.middleware.sessions import SessionMiddleware


async def read_user(request: Request) -> str | None:
    user: str | None = request.session.get("user")
    return user


def add(app: FastAPI) -> None:
    app.state.limiter = Limiter(key_func=get_remote_address, default_limits=["40/minute"])
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
    app.add_middleware(SlowAPIMiddleware)
    app.add_middleware(SessionMiddleware, secret_key="for the session cookie")
    app.add_middleware(GZipMiddleware, minimum_size=2_000)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["https://app.example.com"],
        allow_methods=["*"],
        expose_headers=["ETag"],
    )

    @app.get("/v1/numbers")
    async def list_numbers() -> Page[int]:
        return paginate(list(range(1_000)))

    @app.post("/v1/session", status_code=204)
    async def sign_in(request: Request) -> None:
        request.session["user"] = "Ada"

    @app.get("/v1/session")
    async def whoami(user: Annotated[str | None, Depends(read_user)]) -> str | None:
        return user

    add_pagination(app)
'''


def ask_of_extensions(client: httpx.Client) -> None:
    origin = {"Origin": "https://app.example.com"}
    allowed = "Access-Control-Allow-Origin"
    assert client.get("/v1/items", headers=origin).headers[allowed] == origin["Origin"]
    assert allowed not in client.get("/v1/items", headers={"Origin": "https://evil"}).headers
    sent = origin | {"Content-Type": "application/json"}
    for large in (b" " * 1_048_577, (b" " * 65_536 for _ in range(17))):
        rejected = client.post("/v1/items", content=large, headers=sent)
        assert_problem(rejected, 413)
        assert rejected.headers[allowed] == origin["Origin"]
    long = client.get("/v1/items", headers=origin | {"X-Long": "x" * 33_000})
    assert_problem(long, 431)
    assert long.headers[allowed] == origin["Origin"]
    assert client.get("/v1/nothing", headers=origin).headers[allowed] == origin["Origin"]
    preflight = client.options(
        "/v1/items", headers=origin | {"Access-Control-Request-Method": "PATCH"}
    )
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    page = client.get("/v1/numbers?page=2&size=100")
    assert (page.json()["items"][0], page.json()["total"]) == (100, 1_000)
    assert client.get("/v1/numbers?size=1000").status_code == 422
    assert client.get("/v1/session").json() is None
    assert client.post("/v1/session").status_code == 204
    assert client.get("/v1/session").json() == "Ada"
    assert client.get("/v1/numbers?size=100").headers["Content-Encoding"] == "gzip"
    # slowapi's default limits find routes of the application itself, not those of its routers.
    answers = [client.get("/v1/session", headers=origin) for _ in range(45)]
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert "40 per 1 minute" in limited.text
    assert limited.headers[allowed] == origin["Origin"]
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200


JOBS = '''\
"""Work beside requests: a periodic job, and a task after a response."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, BackgroundTasks, FastAPI, Request

from .items.model import ITEMS, ItemContent
from .runtime.service import Service, database
from .runtime.store import Store

router = APIRouter()


async def count_up(app: Service) -> None:
    items, number = Store(ITEMS, app.database), 0
    while True:
        number += 1
        await app.threads.run(items.create, ItemContent(name=f"job {number}"))
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    job = asyncio.create_task(count_up(app))
    yield
    job.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job


async def create_later(items: Store[object, ItemContent], name: str) -> None:
    await asyncio.sleep(2)
    await asyncio.to_thread(items.create, ItemContent(name=name))


@router.post("/v1/later/{name}", status_code=202)
async def request_item(request: Request, name: str, tasks: BackgroundTasks) -> None:
    tasks.add_task(create_later, Store(ITEMS, database(request)), name)
'''


def ask_of_work_beside_requests(client: httpx.Client) -> None:
    name = fresh_name("later")
    started = time.monotonic()
    assert client.post(f"/v1/later/{name}").status_code == 202
    assert time.monotonic() - started < 1.9, "the task has kept the client waiting"
    sums = [
        float(line.split()[-1])
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("http_server_request_duration_seconds_sum")
        and "/v1/later/{name}" in line
        and '"202"' in line
    ]
    assert len(sums) == 1
    assert sums[0] < 1.9, "the task was counted as the request's time"
    end = time.monotonic() + 20
    while True:
        names = {item["name"] for item in client.get("/v1/items?limit=100").json()["items"]}
        if {name, "job 1", "job 2"} <= names:
            return
        assert time.monotonic() < end, names
        time.sleep(0.1)


BREAKS = {
    "an operation is missing": {
        "{package}/runtime/openapi.py": replaced(
            (
                'document["paths"] = made["paths"] | document["paths"]',
                'made["paths"].get("/v1/items/{item_id}", {}).pop("patch", None)\n'
                '    document["paths"] = made["paths"] | document["paths"]',
            )
        )
    },
    "a field is missing": {
        "{package}/runtime/openapi.py": replaced(
            (
                "    for section, found in components.items():\n",
                '    content = schemas.get("ItemContent", {"properties": {}})\n'
                '    content["properties"].pop("quantity", None)\n'
                "    for section, found in components.items():\n",
            )
        )
    },
    "a resource is left over": {
        "{package}/runtime/openapi.py": replaced(
            (
                'document["paths"] = made["paths"] | document["paths"]',
                'made["paths"]["/v1/ghosts"] = dict(made["paths"].get("/v1/items", {}))\n'
                '    document["paths"] = made["paths"] | document["paths"]',
            )
        )
    },
}


CASES = [
    Case("O1 O2 O3 R7 R9", "rooms and bookings", ROOMS_AND_BOOKINGS, ask_of_rooms_and_bookings),
    *(
        Case(
            "O4",
            f"a check of who may call by {kind}",
            {
                "{package}/access.py": CHECK.format(kind=kind),
                "{package}/orders.py": PLAIN,
                "{package}/app.py": GUARDED,
            },
            ask_of_a_check,
        )
        for kind in ("def", "async def")
    ),
    *(
        Case(
            "O4",
            f"a coroutine that is {what}",
            {
                "{package}/access.py": FORGOTTEN.format(check=check),
                "{package}/orders.py": PLAIN,
                "{package}/app.py": GUARDED,
            },
            ask_of_a_coroutine,
        )
        for what, check in FORGETFUL.items()
    ),
    Case(
        "O4",
        "a security scheme",
        {"{package}/access.py": BEARER, "{package}/app.py": GUARDED_ITEMS},
        ask_of_a_security_scheme,
    ),
    Case(
        "O7",
        "plain routes",
        {
            "{package}/orders.py": PLAIN,
            "{package}/app.py": added(
                "app.include_router(orders.router)", imports="from . import orders\n"
            ),
        },
        ask_of_plain_routes,
    ),
    Case(
        "O6",
        "a setting",
        {
            "{package}/greeting.py": GREETING,
            "{package}/settings.py": SETTING,
            "{package}/app.py": added(
                "app.include_router(greeting.router)", imports="from . import greeting\n"
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
            "{package}/app.py": added("errors.add(app)", imports="from . import errors\n"),
        },
        ask_of_errors,
    ),
    Case(
        "O10",
        "a transaction over two stores",
        {
            "{package}/transfer.py": TRANSFER,
            "{package}/app.py": added(
                "app.include_router(transfer.router)", imports="from . import transfer\n"
            ),
        },
        ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors limits pages and sessions",
        {
            "{package}/extensions.py": EXTENSIONS,
            "{package}/app.py": added("extensions.add(app)", imports="from . import extensions\n"),
        },
        ask_of_extensions,
        packages=("fastapi-pagination", "itsdangerous", "slowapi"),
    ),
    Case(
        "O13",
        "a job and a task",
        {
            "{package}/jobs.py": JOBS,
            "{package}/app.py": added(
                "app.include_router(jobs.router)",
                imports="from . import jobs\n",
                options=", lifespan=jobs.lifespan",
            ),
        },
        ask_of_work_beside_requests,
    ),
    growth(),
    rules(),
    objects(),
]
