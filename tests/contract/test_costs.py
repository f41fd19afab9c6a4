"""E7: no request costs more than its size, and a refusal is no sign of trouble."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Launch
from tests.contract.items import ITEMS, JSON, create
from tests.contract.test_database_faults import liveness_watched
from tests.contract.wire import Address, exchange, request
from tests.services import Service

pytestmark = pytest.mark.contract("E7")

SIZE = 31_000
TIMES = 20
"""What 31 kB may cost, as a multiple of a short refusal."""


def repeated(piece: str, size: int = SIZE) -> str:
    return (piece * (size // len(piece) + 1))[:size]


def many_names(size: int = SIZE) -> str:
    """A query of short parameters, no two with one name."""
    names: list[str] = []
    length = 0
    while length < size:
        names.append(f"{len(names):x}=")
        length += len(names[-1]) + 1
    return "&".join(names)


COSTLY: dict[str, tuple[str, str, list[tuple[str, str]], bytes]] = {
    "many parameters": ("GET", f"{ITEMS}?{many_names()}", [], b""),
    "one parameter many times": ("GET", f"{ITEMS}?{repeated('a&')}", [], b""),
    "escapes in a query": ("GET", f"{ITEMS}?limit={repeated('%41')[: SIZE // 3 * 3]}", [], b""),
    "a long cursor": ("GET", f"{ITEMS}?cursor={repeated('0')}", [], b""),
    "many tags that might match": ("GET", "item", [("If-None-Match", repeated('"a",'))], b""),
    "many tags for a write": ("DELETE", "item", [("If-Match", repeated('"a",'))], b""),
    "tags that never end": ("GET", "item", [("If-None-Match", repeated('"'))], b""),
    "white space and commas": ("GET", "item", [("If-None-Match", repeated(" ,"))], b""),
    "many headers": ("GET", ITEMS, [(f"X-{n}", "y") for n in range(90)], b""),
    "a long trace": ("GET", ITEMS, [("traceparent", repeated("00-"))], b""),
    "a long media type": ("POST", ITEMS, [("Content-Type", repeated("a/b; "))], b"{}"),
    "many unknown fields": (
        "POST",
        ITEMS,
        list(JSON.items()),
        ("{" + ",".join(f'"{n:x}":1' for n in range(4000)) + "}").encode(),
    ),
    "one key many times": (
        "POST",
        ITEMS,
        list(JSON.items()),
        ('{"a":1' + ',"a":1' * 5000 + "}").encode(),
    ),
    "a number of many digits": (
        "POST",
        ITEMS,
        list(JSON.items()),
        b'{"quantity": ' + b"9" * SIZE + b"}",
    ),
    "many levels": ("POST", ITEMS, list(JSON.items()), b"[" * SIZE),
    "escapes in a string": (
        "POST",
        ITEMS,
        list(JSON.items()),
        b'{"name": "' + b"\\u0041" * 5000 + b'"}',
    ),
}


def seconds_of(service: Service, send: Callable[[], httpx.Response]) -> float:
    """The least CPU time that the service takes for one of several such requests."""
    least = float("inf")
    for _ in range(3):
        before = spent(service)
        for _ in range(20):
            send()
        least = min(least, (spent(service) - before) / 20)
    return least


def spent(service: Service) -> float:
    """The CPU time of all its processes."""
    return sum(
        times.user + times.system
        for times in (process.cpu_times() for process in service.living_family())
    )


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.any_database
@pytest.mark.parametrize("case", COSTLY)
def test_a_large_request_costs_in_proportion_to_its_size(service: Service, case: str) -> None:
    method, path, headers, body = COSTLY[case]
    if path == "item":
        path = str(create(service.http).headers["location"])

    def send() -> httpx.Response:
        return exchange(service.address, method, path, headers, body or None)

    service.remember_family()
    short = seconds_of(service, lambda: exchange(service.address, "GET", f"{ITEMS}?limit=0"))
    assert send().status_code < 500
    assert seconds_of(service, send) <= max(TIMES * short, 0.01)


@pytest.mark.any_database
@pytest.mark.parametrize("case", ["many parameters", "one parameter many times"])
def test_a_query_of_many_parameters_leaves_others_alone(service: Service, case: str) -> None:
    method, path, headers, _ = COSTLY[case]
    service.remember_family()
    before = spent(service)
    answer = exchange(service.address, method, path, headers)
    assert answer.status_code in {414, 422, 431}
    assert exchange(service.address, "GET", "/livez").status_code == 200
    # CPU time, as a busy machine takes longer; to compare all names takes about a second of it.
    assert spent(service) - before < 0.25


def largest(start: str, piece: str, end: str) -> bytes:
    """A body of nearly a mebibyte."""
    return (start + repeated(piece, 1_048_000 // len(piece) * len(piece)) + end).encode()


FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"
PART = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
LARGEST: dict[str, tuple[str, bytes]] = {
    "escapes": ("application/json", largest('{"name": "', "\\u0041", '"}')),
    "backslashes": ("application/json", largest('{"name": "', "\\\\", '"}')),
    "digits": ("application/json", largest('{"quantity": 1', "1", "}")),
    "digits of a fraction": ("application/json", largest('{"quantity": 1.', "1", "}")),
    "levels": ("application/json", largest("", "[", "")),
    "lists in a list": ("application/json", largest('{"name": [[]', ",[[]]", "]}")),
    "empty objects": ("application/json", largest('{"name": [{}', ",{}", "]}")),
    "small objects": ("application/json", largest('{"name": [{}', ',{"":0}', "]}")),
    "one name": ("application/json", largest('{"name": "x"', ',"name":"x"', "}")),
    "many names": (
        "application/json",
        b'{"name":1%b}' % b"".join(b',"%x":1' % n for n in range(90_000)),
    ),
    "fields of a form": (FORM, largest("", "a&", "")),
    "other fields of a form": (FORM, many_names(1_000_000).encode()),
    "parts of a form": (PARTS, largest("", PART, "--x--\r\n")),
}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.any_database
@pytest.mark.parametrize("case", LARGEST)
def test_liveness_is_answered_while_the_largest_bodies_are_rejected(
    service: Service, case: str
) -> None:
    media_type, body = LARGEST[case]
    headers = [("Content-Type", media_type), ("Idempotency-Key", "large")]

    def send(_: int) -> int:
        return exchange(service.address, "POST", ITEMS, headers, body).status_code

    with liveness_watched(service) as took, ThreadPoolExecutor(4) as pool:
        statuses = set(pool.map(send, range(20)))
    assert statuses <= ({415} if media_type in (FORM, PARTS) else {400, 422}), statuses
    assert max(took) < 1, f"/livez took {max(took):.2f} s"


def statuses_under_pressure(
    address: Address, sent: bytes, clients: int = 60, seconds: float = 5
) -> Counter[int]:
    """What clients get that send a request again as soon as it is answered with a problem.

    Those of a library would be slower than the service, where nobody would have to wait then.
    """
    seen: Counter[int] = Counter()
    received: dict[Any, bytes] = {}
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(clients):
            connection = stack.enter_context(socket.create_connection(address, timeout=10))
            connection.sendall(sent)
            received[connection] = b""
            selector.register(connection, selectors.EVENT_READ)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in selector.select(1):
                answered: Any = key.fileobj
                part = answered.recv(65_536)
                assert part, "the service has closed a connection"
                received[answered] += part
                if received[answered].endswith(b"}"):
                    seen[int(received[answered].split(maxsplit=2)[1])] += 1
                    received[answered] = b""
                    answered.sendall(sent)
    return seen


@pytest.mark.slow
@pytest.mark.alone
def test_refusals_are_no_sign_of_trouble_with_the_database(launch: Launch) -> None:
    """60 clients that send nothing but a stale tag get 412, and nothing else."""
    service = launch()
    path = str(create(service.http).headers["location"])
    stale = {**JSON, "If-Match": '"0000000000000000"'}
    sent = request("PUT", path, stale.items(), b'{"name": "stale"}')
    seen = statuses_under_pressure(service.address, sent)
    assert set(seen) == {412}, seen
