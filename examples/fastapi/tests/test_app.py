"""What this service makes of FastAPI."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Body, HTTPException

from stock_keeper.runtime import Unavailable, asgi
from stock_keeper.runtime.service import Service
from stock_keeper.runtime.settings import Settings
from stock_keeper.runtime.telemetry import metrics
from stock_keeper.runtime.threads import THREADS, Threads

router = APIRouter()


@router.get("/things/{thing}")
async def get_thing(thing: str, count: int = 1) -> dict[str, int]:
    if thing == "secret":
        raise HTTPException(403, "Not for you.", {"X-Why": "secret"})
    return {thing: count}


@router.post("/things")
async def make_thing(size: Annotated[int, Body(embed=True)]) -> int:
    return size


@pytest.fixture
def service() -> Service:
    """Routes as FastAPI has them, under a prefix."""
    service = Service(Settings(max_body_bytes=100))
    service.include_router(router, prefix="/more")
    return service


def send(service: Service, method: str, path: str, **content: Any) -> httpx.Response:
    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **content)

    return asyncio.run(answer())


def test_what_annotations_refuse_is_a_problem_that_says_where(service: Service) -> None:
    query = send(service, "GET", "/more/things/bolt?count=few")
    body = send(service, "POST", "/more/things", json={"size": "tall"})
    assert (query.status_code, body.status_code) == (422, 422)
    assert [one["pointer"] for one in query.json()["errors"]] == ["count"]
    assert [one["pointer"] for one in body.json()["errors"]] == ["/size"]


def test_an_http_exception_is_a_problem(service: Service) -> None:
    answer = send(service, "GET", "/more/things/secret")
    assert (answer.status_code, answer.headers["X-Why"]) == (403, "secret")
    assert answer.json()["detail"] == "Not for you."


def test_a_body_that_fastapi_reads_itself_is_bounded_too(service: Service) -> None:
    assert send(service, "POST", "/more/things", json={"size": "x" * 100}).status_code == 413


def test_methods_are_told_of_a_path_with_a_prefix(service: Service) -> None:
    answer = send(service, "OPTIONS", "/more/things/bolt")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


def test_a_request_counts_under_its_route_with_the_prefix(service: Service) -> None:
    assert send(service, "GET", "/more/things/bolt").status_code == 200
    assert b'http_route="/more/things/{thing}"' in metrics()


def test_the_document_names_an_operation_as_its_function(service: Service) -> None:
    operation = service.openapi()["paths"]["/more/things"]["post"]
    assert operation["operationId"] == "makeThing"
    assert set(operation["responses"]) == {"200"}


def call_edge(
    headers: list[tuple[bytes, bytes]], receive: asgi.Receive, app: asgi.ASGIApp
) -> list[Any]:
    sent = []

    async def send(message: asgi.Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/more/things",
        "query_string": b"",
        "headers": headers,
    }
    asyncio.run(asgi.Edge(app, Settings(), lambda _: "")(scope, receive, send))
    return sent


async def read(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
    while (await receive()).get("more_body"):
        pass


def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "BODY_SECONDS", 0.2)

    async def trickle() -> asgi.Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    start, _ = call_edge([(b"content-length", b"1000")], trickle, read)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]


def test_a_body_that_ends_too_soon_is_refused() -> None:
    async def leave() -> asgi.Message:
        return {"type": "http.disconnect"}

    start, _ = call_edge([(b"transfer-encoding", b"chunked")], leave, read)
    assert start["status"] == 400


def test_several_lines_of_one_header_are_a_list() -> None:
    seen = {}

    async def note(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        seen.update(scope["headers"])

    async def nothing() -> asgi.Message:
        return {"type": "http.request"}

    call_edge([(b"if-match", b'"a"'), (b"if-match", b'"b"')], nothing, note)
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


def test_the_wait_for_a_thread_ends_at_the_deadline(stuck: Threads) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable):
        asyncio.run(stuck.run(int))
    assert 0.4 < time.monotonic() - started < 2
