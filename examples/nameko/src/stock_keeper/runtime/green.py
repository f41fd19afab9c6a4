"""Waiting that lets others go on: imported before anything else that may wait.

The service's green threads share one real thread, so whatever blocks that blocks all of them.
Sockets, locks and sleep are eventlet's from here on; PostgreSQL, SQLite and the search for an
address wait in C, which no patch reaches, and are taught it below.
"""

import os
import socket
import sqlite3
import warnings
from typing import Any

# Its resolver asks name servers alone, and takes its time; a name is found as the machine finds it.
os.environ["EVENTLET_NO_GREENDNS"] = "yes"
with warnings.catch_warnings():
    # eventlet says here that it only gets bug fixes; so does the README.
    warnings.simplefilter("ignore")
    import eventlet
    from eventlet import debug, tpool

eventlet.monkey_patch()
debug.hub_exceptions(False)  # it would print tracebacks between the lines of the log
find_address = socket.getaddrinfo
socket.getaddrinfo = lambda *name, **hints: tpool.execute(find_address, *name, **hints)
os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"  # the one that waits in Python; eventlet's select

from sqlalchemy import Dialect, Engine, event  # noqa: E402  only after the patch


class Cursor(sqlite3.Cursor):
    """A cursor that waits in a real thread: for the lock of a transaction, and for the disk.

    To read needs no lock, as the file has a write-ahead log, and what is changed within a
    transaction stays in memory until it is committed: that takes less than to go to a thread.
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
