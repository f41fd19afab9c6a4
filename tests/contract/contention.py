"""Calls that all want to write at the same moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx

from tests.contract.databases import Database, PostgresDatabase
from tests.contract.wire import at_once, exchange
from tests.services import Service

Call = Callable[[httpx.Client], httpx.Response]

CROWD = 10
HELD_SECONDS = 0.7


def contended(service: Service, database: Database, calls: list[Call]) -> list[httpx.Response]:
    """The answers to calls that begin while nobody can write, and then all want to.

    Whoever looks first and writes later has looked by then, and finds nothing changed.
    """
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        clients = [stack.enter_context(service.new_client()) for _ in calls]
        with database.hold_writes():
            answers = pool.submit(at_once, clients, calls)
            end = time.monotonic() + HELD_SECONDS
            while not crowded(service, database) and time.monotonic() < end:
                time.sleep(0.01)
        return answers.result()


def crowded(service: Service, database: Database) -> bool:
    """More than one is about to write, as PostgreSQL says; with SQLite many requests are there."""
    if isinstance(database, PostgresDatabase):
        return database.waiting() > 1
    lines = exchange(service.address, "GET", "/metrics").text.splitlines()
    active = (line for line in lines if line.startswith("http_server_active_requests{"))
    return sum(float(line.split()[-1]) for line in active if '="GET"' not in line) >= CROWD
