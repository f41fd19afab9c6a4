"""Cooperative waiting for green threads: imported before anything else that may wait.

The service's green threads share one real thread, so anything that blocks it blocks all of them.
From here on sockets, locks and sleep are eventlet's; PostgreSQL, SQLite and name lookups wait in C,
which cannot be patched, and are made cooperative below.
"""

import os
import socket
import sqlite3
import warnings
from typing import Any

# eventlet's own resolver only queries name servers, and slowly; use the machine's instead.
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
with warnings.catch_warnings():
    # eventlet warns here that it only gets bug fixes, which the README mentions.
    warnings.simplefilter("ignore")
    import eventlet
    from eventlet import debug, tpool

eventlet.monkey_patch()
debug.hub_exceptions(False)  # it would print tracebacks between log lines
find_address = socket.getaddrinfo
socket.getaddrinfo = lambda *name, **hints: tpool.execute(find_address, *name, **hints)
os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"  # waits in Python, with eventlet's select

from sqlalchemy import Dialect, Engine, event  # noqa: E402  only after the patch


class Cursor(sqlite3.Cursor):
    """A cursor that waits in a real thread: for the lock of a transaction, and for the disk.

    Reading needs no lock, because the file has a write-ahead log, and changes within a transaction
    stay in memory until the commit: both take less time than switching to a thread.
    """

    def execute(self, statement: str, *args: Any) -> "Cursor":
        within = self.connection.in_transaction and statement != "COMMIT"
        if within or statement.startswith("SELECT"):
            return super().execute(statement, *args)
        tpool.execute(super().execute, statement, *args)
        return self


class Connection(sqlite3.Connection):
    """A connection to SQLite that makes such cursors."""

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)


@event.listens_for(Engine, "do_connect")
def connect_to_sqlite(
    dialect: Dialect, record: object, args: object, options: dict[str, Any]
) -> None:
    if dialect.name == "sqlite":
        options["factory"] = Connection
