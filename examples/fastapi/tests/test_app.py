"""What this service makes of FastAPI."""

import asyncio
import importlib
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    FastAPI,
    HTTPException,
    Query,
    Request,
    Response,
)
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPBearer
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from pydantic import BaseModel, model_validator

from stock_keeper.runtime import NotFound, Unavailable, asgi, metrics
from stock_keeper.runtime.endpoints import Endpoints
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.openapi import problems
from stock_keeper.runtime.service import Service
from stock_keeper.runtime.threads import THREADS, Threads
from stock_keeper.settings import Settings

router = APIRouter()
ORIGIN = {"Origin": "https://shop.example"}


class Range(BaseModel):
    first: int = 0
    last: int = 9

    @model_validator(mode="after")
    def in_order(self) -> "Range":
        if self.first > self.last:
            raise ValueError("first must not be greater than last")
        return self


@router.get("/things", responses=problems(401, 404))
async def list_things(wanted: Annotated[Range, Query()]) -> list[int]:
    return [wanted.first, wanted.last]


@router.get("/things/{thing}")
async def get_thing(thing: str, count: int = 1) -> dict[str, int]:
    if thing == "secret":
        raise HTTPException(403, "Not for you.", {"X-Why": "secret"})
    if thing == "broken":
        raise HTTPException(409, {"held_by": ["bolt"]})
    if thing == "moved":
        raise HTTPException(307, headers={"Location": "/elsewhere"})
    if thing == "none":
        raise NotFound
    if thing == "error":
        raise RuntimeError
    return {thing: count}


@router.post("/things")
async def make_thing(size: Annotated[int, Body(embed=True)]) -> int:
    return size


@router.post("/lists")
async def make_list(things: list[int]) -> int:
    return len(things)


@router.post("/echo")
async def echo(request: Request, thing: Annotated[Any, Body()]) -> list[Any]:
    return [thing, await request.json()]


@router.put("/things/{thing}")
async def change_thing(thing: str, wanted: Range) -> Range:
    return wanted


@router.delete("/things/{thing}", status_code=202)
async def delete_thing(thing: str, tasks: BackgroundTasks) -> None:
    tasks.add_task(asyncio.sleep, 0.2)


async def verify() -> None:
    raise HTTPException(401)


def forget() -> Any:
    return verify()


async def forget_too() -> None:
    verify()


async def check(request: Request) -> None:
    if "Authorization" not in request.headers:
        raise HTTPException(401, "Who is it?", {"WWW-Authenticate": "Bearer"})


def serving(**options: Any) -> TestClient:
    """A service with FastAPI's own routes under a prefix, and its client."""
    service = Service(Settings(max_body_bytes=100))
    service.include_router(router, prefix="/more", **options)
    return TestClient(service)


@pytest.fixture
def client() -> TestClient:
    return serving()


def test_what_annotations_refuse_is_a_problem_that_says_where(client: TestClient) -> None:
    query = client.get("/more/things/bolt?count=few")
    model = client.get("/more/things?first=3&last=2")
    body = client.post("/more/things", json={"size": "tall"})
    array = client.post("/more/lists", json=[1, "x"])
    assert [query.status_code, model.status_code, body.status_code] == [422, 422, 422]
    assert [one["pointer"] for one in query.json()["errors"]] == ["count"]
    assert [one["pointer"] for one in model.json()["errors"]] == [""]
    assert [one["pointer"] for one in body.json()["errors"]] == ["/size"]
    assert [one["pointer"] for one in array.json()["errors"]] == ["/1"]


def test_bodies_of_every_shape_are_read(client: TestClient) -> None:
    assert client.post("/more/things", json={"size": 3}).json() == 3
    assert client.post("/more/lists", json=[1, 2]).json() == 2
    assert client.post("/more/echo", json={"a": None}).json() == [{"a": None}] * 2
    assert client.put("/more/things/bolt", json={"last": 7}).json() == {"first": 0, "last": 7}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [(b"", "json", 400), (b"{", "json", 400), (b"{}", "xml", 415), (b'{"first": 10}', "json", 422)],
)
def test_a_body_is_judged_after_the_check(content: bytes, kind: str, status: int) -> None:
    headers = {"Content-Type": f"application/{kind}"}
    known = headers | {"Authorization": "Bearer bolt"}
    with serving(dependencies=[Depends(check)]) as client:
        for method, path in (("PUT", "/more/things/bolt"), ("POST", "/more/lists")):
            refused = client.request(method, path, content=content, headers=headers)
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
            judged = client.request(method, path, content=content, headers=known)
            assert judged.status_code == status
        assert client.get("/readyz").status_code == 503, "no database; and no check"
        assert client.get("/livez").status_code == 200


def test_a_check_that_nobody_awaits_lets_nobody_in() -> None:
    for _ in range(2):
        assert serving(dependencies=[Depends(forget)]).get("/more/things/bolt").status_code == 500
        with pytest.warns(RuntimeWarning, match="never awaited"):
            refused = serving(dependencies=[Depends(forget_too)]).get("/more/things/bolt")
        assert refused.status_code == 500
    assert serving(dependencies=[Depends(verify)]).get("/more/things/bolt").status_code == 401


def test_an_http_exception_is_a_problem(client: TestClient) -> None:
    answer = client.get("/more/things/secret")
    assert (answer.status_code, answer.headers["X-Why"]) == (403, "secret")
    assert answer.json()["detail"] == "Not for you."
    assert client.get("/more/things/broken").json()["detail"] == '{"held_by": ["bolt"]}'
    moved = client.get("/more/things/moved", follow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (307, "/elsewhere")


def test_a_large_body_is_refused_as_it_comes_in(client: TestClient) -> None:
    chunks = (b" " * 60 for _ in range(2))
    headers = {"Content-Type": "application/json"}
    assert client.post("/more/things", content=chunks, headers=headers).status_code == 413


def test_middleware_of_the_service_sees_every_response() -> None:
    client = serving()
    service: Any = client.app
    service.add_middleware(CORSMiddleware, allow_origins=[ORIGIN["Origin"]])
    large = client.post("/more/things", content=b" " * 101, headers=ORIGIN)
    long = client.get("/more/things", headers=ORIGIN | {"X-Long": "x" * 33_000})
    broken = client.get("/more/things/error", headers=ORIGIN)
    unknown = client.get("/unknown", headers=ORIGIN)
    for answer, status in ((large, 413), (long, 431), (broken, 500), (unknown, 404)):
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_exception_handlers_of_the_service_come_first(client: TestClient) -> None:
    service: Any = client.app
    assert client.get("/more/things/none").status_code == 404

    @service.exception_handler(NotFound)
    async def gone(request: Request, error: NotFound) -> Response:
        return Response(status_code=410)

    @service.exception_handler(Exception)
    async def teapot(request: Request, error: Exception) -> Response:
        return Response(status_code=418)

    service.middleware_stack = None
    assert client.get("/more/things/none").status_code == 410
    assert client.get("/more/things/error").status_code == 418


def test_an_error_of_middleware_is_a_problem() -> None:
    client = serving()
    service: Any = client.app

    @service.middleware("http")
    async def refuse(request: Request, call_next: Any) -> Response:
        raise HTTPException(403, "Not here.")

    answer = client.get("/more/things")
    assert (answer.status_code, answer.json()["detail"]) == (403, "Not here.")


def test_methods_are_told_of_a_path_with_a_prefix(client: TestClient) -> None:
    answer = client.options("/more/things")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


def test_a_request_counts_under_its_route_with_the_prefix(client: TestClient) -> None:
    service: Any = client.app
    inner = FastAPI()
    inner.include_router(router)
    service.mount("/inner", inner)
    for path in ("/more/things/bolt", "/inner/things/bolt"):
        assert client.get(path).status_code == 200
    assert client.get("/inner/unknown").status_code == 404
    for route in ("/more/things/{thing}", "/inner/things/{thing}", "/inner/{path}"):
        assert f'http_route="{route}"'.encode() in metrics.text()


def test_fastapi_finds_the_application() -> None:
    # Importing it creates it, from the variables that are set.
    found = importlib.import_module("stock_keeper.runtime.entrypoint")
    assert isinstance(found.app, Service)


def test_a_task_after_the_response_is_not_the_time_of_the_request(client: TestClient) -> None:
    assert client.delete("/more/things/bolt").status_code == 202
    labels = {
        "http_request_method": "DELETE",
        "http_route": "/more/things/{thing}",
        "http_response_status_code": "202",
    }
    name = "http_server_request_duration_seconds_sum"
    assert 0 < (REGISTRY.get_sample_value(name, labels) or 0) < 0.2


def test_a_lifespan_of_the_service_is_entered() -> None:
    entered = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        entered.append("began")
        yield
        entered.append("ended")

    service = Service(Settings(), lifespan=lifespan)
    for _ in range(2):
        with TestClient(service) as client:
            assert client.get("/livez").status_code == 200
    assert entered == ["began", "ended"] * 2


def test_the_document_is_the_one_of_fastapi() -> None:
    client = serving(dependencies=[Depends(HTTPBearer())])
    document: dict[str, Any] = client.get("/openapi.json").json()
    listed = document["paths"]["/more/things"]["get"]
    made = document["paths"]["/more/things"]["post"]
    assert made["operationId"] == "makeThing"
    assert made["security"] == [{"HTTPBearer": []}]
    assert document["components"]["securitySchemes"] == {
        "HTTPBearer": {"type": "http", "scheme": "bearer"}
    }
    assert {"200", "413", "415", "422", "500"} <= set(made["responses"])
    assert set(listed["responses"]["401"]["content"]) == {"application/problem+json"}
    assert listed["responses"]["404"] == {"$ref": "#/components/responses/NotFound"}
    assert [one["name"] for one in listed["parameters"]] == ["first", "last"]


def call_middleware(
    headers: list[tuple[bytes, bytes]],
    receive: asgi.Receive,
    app: asgi.ASGIApp,
    send: asgi.Send | None = None,
) -> list[Any]:
    sent = []

    async def note(message: asgi.Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/more/things",
        "query_string": b"",
        "headers": headers,
    }
    service = Service(Settings())
    endpoints: Endpoints = service._endpoints
    asyncio.run(asgi.ServiceMiddleware(app, Settings(), endpoints)(scope, receive, send or note))
    return sent


async def read(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
    while (await receive()).get("more_body"):
        pass


def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.2)

    async def trickle() -> asgi.Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    start, _ = call_middleware([(b"content-length", b"1000")], trickle, read)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]


def test_the_server_can_close_a_connection_whatever_remembers_the_error() -> None:
    """The server waits for the rest of a body until nothing refers to its side any more."""
    kept: list[Exception] = []

    class Server:
        def receive(self) -> Awaitable[asgi.Message]:
            return asyncio.sleep(0, {"type": "http.disconnect"})

        def send(self, message: asgi.Message) -> Awaitable[None]:
            return asyncio.sleep(0)

    async def remember(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        try:
            await receive()
        except Problem as problem:
            kept.append(problem)
            raise

    server = Server()
    gone = weakref.ref(server)
    headers = [(b"content-length", b"1000")]
    call_middleware(headers, server.receive, remember, server.send)
    del server
    assert kept
    assert gone() is None


def test_a_query_of_very_many_parameters_is_refused_before_it_is_parsed(
    client: TestClient,
) -> None:
    most = "&".join(f"more={n}" for n in range(1000))
    assert client.get(f"/more/things?{most}").status_code == 200
    refused = client.get(f"/more/things?{most}&more=1000")
    assert (refused.status_code, refused.json()["detail"]) == (422, "The request is not valid.")


def test_a_body_that_ends_too_soon_is_refused() -> None:
    async def leave() -> asgi.Message:
        return {"type": "http.disconnect"}

    start, _ = call_middleware([(b"transfer-encoding", b"chunked")], leave, read)
    assert start["status"] == 400


def test_several_lines_of_one_header_are_a_list() -> None:
    seen = {}

    async def note(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        seen.update(scope["headers"])

    async def nothing() -> asgi.Message:
        return {"type": "http.request"}

    call_middleware([(b"if-match", b'"a"'), (b"if-match", b'"b"')], nothing, note)
    assert seen[b"if-match"] == b'"a", "b"'


@pytest.fixture
def stuck() -> Iterator[Threads]:
    """Threads that all wait for something that does not come."""
    threads, release = Threads(0.5), threading.Event()
    for _ in range(THREADS):
        threads._executor.submit(release.wait)
    yield threads
    release.set()
    threads.close()


def test_a_call_that_runs_out_of_time_by_itself_says_so() -> None:
    def give_up() -> None:
        raise TimeoutError("its own")

    threads = Threads(5)
    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(threads.run(give_up))
    threads.close()


def test_the_errors_of_calls_reach_their_callers_and_nobody_else() -> None:
    def fail(number: int) -> int:
        if number % 3 == 0:
            raise StopIteration
        if number % 3 == 1:
            raise KeyError(number)
        return number

    async def all_at_once() -> list[int | BaseException]:
        calls = [threads.run(fail, number) for number in range(30)]
        return await asyncio.gather(*calls, return_exceptions=True)

    threads = Threads(5)
    for _ in range(2):  # each time with an event loop of its own
        found = asyncio.run(all_at_once())
        kinds = [type(one) for one in found]
        assert kinds == [RuntimeError, KeyError, int] * 10
        assert [one for one in found if isinstance(one, int)] == list(range(2, 30, 3))
    threads.close()


def test_a_call_is_not_made_for_a_caller_who_has_gone() -> None:
    made, release = list[int](), threading.Event()

    async def come_and_go() -> None:
        waiting = [asyncio.create_task(threads.run(release.wait, 5)) for _ in range(THREADS)]
        late = asyncio.create_task(threads.run(made.append, 1))
        await asyncio.sleep(0.05)
        late.cancel()
        release.set()
        await asyncio.gather(*waiting)

    threads = Threads(5)
    asyncio.run(come_and_go())
    threads._executor.shutdown(wait=True)
    assert made == []


def test_the_wait_for_a_thread_ends_at_the_deadline(stuck: Threads) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable):
        asyncio.run(stuck.run(int))
    assert 0.4 < time.monotonic() - started < 2
