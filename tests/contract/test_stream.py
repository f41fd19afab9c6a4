"""The stream of changes, where a service has one: each once, to every reader of every replica."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import psycopg
import pytest

from tests.contract.conftest import Launch, NewDatabase
from tests.contract.databases import PostgresDatabase
from tests.contract.items import ITEMS, assert_problem, create, fresh_name
from tests.contract.websocket import WebSocket, handshake, new_key
from tests.contract.wire import exchange, refused
from tests.servers import postgres, wait_until
from tests.services import Project, Service

pytestmark = pytest.mark.feature("stream")

STREAM = ITEMS + "/stream"
A_THOUSAND = 1000

Change = tuple[str, dict[str, Any]]


async def change_an_item(client: httpx.AsyncClient, quantity: int = 0) -> list[Change]:
    """Create, replace and delete an item; what a reader has to be told of that."""
    created = await client.post(ITEMS, json={"name": fresh_name(), "quantity": quantity})
    path = created.headers["location"]
    replaced = await client.put(path, json={"name": fresh_name("again")})
    deleted = await client.delete(path)
    assert [created.status_code, replaced.status_code, deleted.status_code] == [201, 200, 204]
    last = replaced.json()
    return [("created", created.json()), ("updated", last), ("deleted", last)]


async def told(reader: WebSocket, count: int) -> list[Change]:
    """The next changes that a reader is told."""
    messages = [await reader.message() for _ in range(count)]
    assert all(set(message) == {"type", "item"} for message in messages)
    return [(message["type"], message["item"]) for message in messages]


async def assert_told(readers: Sequence[WebSocket], changes: list[Change]) -> None:
    for got in await asyncio.gather(*(told(reader, len(changes)) for reader in readers)):
        assert got == changes


async def start_even(service: Service, readers: Sequence[WebSocket]) -> None:
    """Read until a first change, so that nobody is still told of what was before him.

    A write that was acknowledged before a reader came may reach him through PostgreSQL after it.
    """
    async with client_of(service) as client:
        first = (await client.post(ITEMS, json={"name": fresh_name()})).json()
    for reader in readers:
        while (await reader.message())["item"]["id"] != first["id"]:
            pass


def reading(
    services: Sequence[Service],
    each: int,
    scenario: Callable[[list[WebSocket]], Awaitable[None]],
    seconds: float = 60,
) -> None:
    """Run a scenario with so many readers of each service."""

    async def main() -> None:
        places = [service.address for service in services for _ in range(each)]
        readers: list[WebSocket] = []
        try:
            async with asyncio.timeout(seconds):
                for start in range(0, len(places), 100):
                    part = places[start : start + 100]
                    readers += await asyncio.gather(*(WebSocket.open(at, STREAM) for at in part))
                await start_even(services[0], readers)
                await scenario(readers)
        finally:
            for reader in readers:
                reader.close()

    asyncio.run(main())


def client_of(service: Service) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=service.url, timeout=30, trust_env=False, verify=False)


@pytest.mark.slow
@pytest.mark.contract("E5")
def test_a_thousand_readers_are_told_each_change_once_and_in_order(launch: Launch) -> None:
    service = launch()

    async def scenario(readers: list[WebSocket]) -> None:
        async with client_of(service) as client:
            for quantity in range(3):
                await assert_told(readers, await change_an_item(client, quantity))
            assert (await client.get("/livez")).elapsed.total_seconds() < 1

    reading([service], A_THOUSAND, scenario)


@pytest.mark.contract("E5")
def test_many_changes_at_once_reach_a_reader_each_once(launch: Launch) -> None:
    """The last that is told of an item is what is stored of it."""
    service = launch()

    async def scenario(readers: list[WebSocket]) -> None:
        async with client_of(service) as client:
            created = await client.post(ITEMS, json={"name": fresh_name()})
            path = created.headers["location"]
            contents = [{"name": fresh_name(), "quantity": at} for at in range(100)]
            await asyncio.gather(*(client.put(path, json=content) for content in contents))
            stored = (await client.get(path)).json()
        for reader in readers:
            changes = await told(reader, 101)
            assert changes[0] == ("created", created.json())
            quantities = sorted(item["quantity"] for _, item in changes[1:])
            assert quantities == list(range(100))
            assert changes[-1] == ("updated", stored)

    reading([service], 3, scenario)


@pytest.mark.contract("R3")
def test_what_was_refused_is_not_told(launch: Launch) -> None:
    service = launch()
    item = create(service.http).json()
    path = f"{ITEMS}/{item['id']}"

    async def scenario(readers: list[WebSocket]) -> None:
        async with client_of(service) as client:
            stale = {"If-Match": '"stale"'}
            refusals = [
                await client.post(ITEMS, json={"name": item["name"]}),
                await client.put(path, json={"name": ""}),
                await client.put(path, json={"name": fresh_name()}, headers=stale),
                await client.delete(path, headers=stale),
                await client.delete(ITEMS + "/nothing"),
            ]
            assert [refusal.status_code for refusal in refusals] == [409, 422, 412, 412, 404]
            await assert_told(readers, await change_an_item(client))

    reading([service], 1, scenario)


@pytest.mark.fault
@pytest.mark.contract("E5")
def test_a_reader_that_is_too_slow_is_closed_and_delays_nobody(launch: Launch) -> None:
    service = launch()
    padding = "💚" * 60

    async def scenario(readers: list[WebSocket]) -> None:
        (quick,) = readers
        slow = await WebSocket.open(service.address, STREAM, receive_buffer=4096)
        async with client_of(service) as client:
            path = (await client.post(ITEMS, json={"name": fresh_name()})).headers["location"]
            await quick.message()
            for number in range(2_000):
                content = {"name": f"{fresh_name()} {padding}"[:100], "quantity": number}
                assert (await client.put(path, json=content)).status_code == 200
                async with asyncio.timeout(2):
                    assert (await quick.message())["item"]["quantity"] == number
                if "stream_readers 1.0" in (await client.get("/metrics")).text:
                    break
        assert await slow.close_code() == 1008
        slow.close()

    reading([service], 1, scenario, seconds=120)


@pytest.mark.contract("E6", "E1")
def test_a_page_of_another_host_may_not_read(service: Service, configured: Service) -> None:
    def status(of: Service, origin: str, host: str) -> int:
        headers = handshake(new_key(), Origin=origin, Host=host)
        answer = exchange(of.address, "GET", STREAM, headers)
        if answer.status_code != 101:
            assert_problem(answer, 403, STREAM)
        return answer.status_code

    own = f"127.0.0.1:{service.port}"
    assert status(service, f"http://{own}", own) == 101
    assert status(service, f"https://{own}", own) == 101
    for foreign in ("http://127.0.0.1", "https://elsewhere.org", "null", f"http://{own}.org"):
        assert status(service, foreign, own) == 403
    assert status(configured, "https://app.example.org", "api.example.com") == 101
    assert status(configured, "https://elsewhere.org", "api.example.com") == 403


@pytest.mark.contract("R4", "E1")
@pytest.mark.parametrize(
    ("missing", "status"),
    [
        ({"Upgrade": ""}, 404),
        ({"Connection": "keep-alive"}, 404),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
    ],
)
def test_without_a_whole_handshake_there_is_no_stream(
    service: Service, missing: dict[str, str], status: int
) -> None:
    answer = exchange(service.address, "GET", STREAM, handshake(new_key(), **missing))
    assert_problem(answer, status, STREAM)
    if status == 426:
        assert answer.headers["sec-websocket-version"] == "13"


@pytest.mark.contract("H2")
def test_a_reader_is_counted_as_long_as_it_is_connected(launch: Launch) -> None:
    service = launch()

    def counted(number: int) -> Callable[[], bool]:
        return lambda: f"stream_readers {number}.0\n" in service.http.get("/metrics").text

    async def scenario(readers: list[WebSocket]) -> None:
        assert await asyncio.to_thread(counted(3))
        readers[0].close()
        await asyncio.to_thread(wait_until, counted(2), 5, "one reader less")

    reading([service], 3, scenario)
    wait_until(counted(0), 5, "no reader")
    assert 'http_server_active_requests{http_request_method="GET"} 1.0' in (
        service.http.get("/metrics").text
    ), "an open stream is no request that goes on"


@pytest.mark.fault
@pytest.mark.contract("P5")
def test_a_drain_ends_every_reader_in_good_order(launch: Launch) -> None:
    service = launch(DRAIN_SECONDS="1")

    async def scenario(readers: list[WebSocket]) -> None:
        async with client_of(service) as client:
            service.terminate()
            await assert_told(readers, await change_an_item(client))
        assert await asyncio.gather(*(one.close_code() for one in readers)) == [1001] * 20
        await asyncio.to_thread(wait_until, lambda: refused(service.address), 5, "it is closed")

    reading([service], 20, scenario)
    assert service.wait_for_exit(5) == 0


@pytest.mark.fault
@pytest.mark.contract("P5")
def test_a_reader_that_does_not_answer_delays_no_end(launch: Launch) -> None:
    service = launch()

    async def scenario(_: list[WebSocket]) -> None:
        service.terminate()
        assert await asyncio.to_thread(service.wait_for_exit, 5) == 0

    reading([service], 5, scenario)


@pytest.mark.fault
@pytest.mark.contract("P6", "R3")
def test_replicas_tell_each_other_also_after_their_database_was_away(
    project: Project, new_database: NewDatabase, launch: Launch
) -> None:
    """On SQLite there is one replica; there it is enough that it goes on."""
    database = new_database()
    if isinstance(database, PostgresDatabase):
        replicas_of_a_server_that_goes(project)
        return
    project.migrate({"DATABASE_URL": database.url})
    service = launch(database)

    async def scenario(readers: list[WebSocket]) -> None:
        async with client_of(service) as client:
            await assert_told(readers, await change_an_item(client))

    reading([service], 2, scenario)


def replicas_of_a_server_that_goes(project: Project) -> None:
    with postgres() as server:
        database = PostgresDatabase.create(server, "items")
        environment = {"DATABASE_URL": database.url}
        project.migrate(environment)
        with project.service(environment) as one, project.service(environment) as other:
            wait_until(lambda: listeners(server.url()) == 2, 10, "both replicas listen")

            async def scenario(readers: list[WebSocket]) -> None:
                async with client_of(one) as near, client_of(other) as far:
                    await assert_told(readers, await change_an_item(near))
                    await assert_told(readers, await change_an_item(far))
                    await asyncio.to_thread(cut_listeners, server.url())
                    await assert_told(readers[:2], await change_an_item(near))
                    await asyncio.to_thread(
                        wait_until, lambda: listeners(server.url()) == 2, 10, "they listen again"
                    )
                    await told_after(readers, near, far)
                    await asyncio.to_thread(server.restart)
                    await asyncio.to_thread(
                        wait_until, lambda: listeners(server.url()) == 2, 10, "and once more"
                    )
                    await asyncio.gather(writes_again(near), writes_again(far))
                    await told_after(readers, far, near)

            reading([one, other], 2, scenario, seconds=120)


async def writes_again(client: httpx.AsyncClient) -> None:
    """A connection that the database cut is noticed by the first request that uses it."""
    async with asyncio.timeout(10):
        while (await client.post(ITEMS, json={"name": fresh_name()})).status_code != 201:
            await asyncio.sleep(0.1)


async def told_after(
    readers: list[WebSocket], one: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    """From now on nothing is missed and nothing comes twice, whatever was missed before."""
    changes = [*await change_an_item(one), *await change_an_item(other)]
    for reader in readers:
        got = await told(reader, 1)
        while got[-1] != changes[0]:
            got += await told(reader, 1)
        assert await told(reader, len(changes) - 1) == changes[1:]


def listeners(admin_url: str) -> int:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        found = connection.execute(
            "select count(*) from pg_stat_activity where query like 'LISTEN%' and state = 'idle'"
        ).fetchone()
    return int(found[0]) if found else 0


def cut_listeners(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%'"
        )
