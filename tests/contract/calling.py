"""Services that call others: the view of the README in each framework, and another service."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import indent
from typing import Any

from tests.services import PACKAGE

VIEW = "/v1/peer-items"
KNOWN = {"id": "1", "name": "bolt"}

LABEL = re.compile(r'(\w+)="([^"]*)"')

Edit = tuple[str, str, str]
"""A file of the package, what stands in it, and what takes its place."""

READING = """\
with {database}.reading() as connection:
    connection.exec_driver_sql("SELECT 1")
"""
READ = f"""

def read(database: Any) -> None:
{indent(READING.format(database="database"), "    ")}
"""
END = "    return app"
FOUND = "found = "
RUNTIME = "from {package}.runtime import"
HEALTH = "from .health"


def imported(line: str) -> Edit:
    return ("peer_items.py", RUNTIME, f"{line}\n{RUNTIME}")


def reading(database: str, spaces: int = 4) -> Edit:
    lines = indent(READING.format(database=database), spaces * " ").lstrip()
    return ("peer_items.py", FOUND, f"{lines}{spaces * ' '}{FOUND}")


def reading_in_thread(call: str, before: str, spaces: int = 4) -> list[Edit]:
    return [
        imported("from typing import Any"),
        ("peer_items.py", before, f"{READ.strip()}\n\n\n{before}"),
        ("peer_items.py", FOUND, f"await {call}\n{spaces * ' '}{FOUND}"),
    ]


def served(line: str, before: str = END) -> list[Edit]:
    return [
        ("app.py", HEALTH, f"from . import peer_items\n{HEALTH}"),
        ("app.py", before, f"    {line}\n{before}"),
    ]


# What an owner writes to serve the view, and a read of the database in front of its call.
EDITS: dict[str, list[Edit]] = {
    "flask": [
        *served("app.register_blueprint(peer_items.blueprint)"),
        imported("from {package}.runtime.service import database"),
        reading("database()"),
    ],
    "flask_restful": [
        *served('api.add_resource(peer_items.SinglePeerItem, "/v1/peer-items/<item_id>")'),
        imported("from {package}.runtime.service import database"),
        reading("database()", 8),
    ],
    "falcon": [
        *served("route, peer = '/v1/peer-items/{item_id}', Peer(app.settings)"),
        *served("app.add_route(route, peer_items.SinglePeerItem(peer))"),
        *served("peer_items.SinglePeerItem.database = app.database"),
        ("app.py", HEALTH, f"from .peers import Peer\n{HEALTH}"),
        imported("from typing import Any"),
        ("peer_items.py", "    def __init__", "    database: Any\n\n    def __init__"),
        reading("self.database", 8),
    ],
    "pyramid": [
        *served('config.include(".peer_items")', "    app: Service"),
        imported("from {package}.runtime.service import database"),
        reading("database(request)"),
    ],
    "nameko": [
        *served("app.add_service(peer_items.PeerItems)"),
        imported("from {package}.runtime.containers import dependency"),
        (
            "peer_items.py",
            "    peer = peer",
            "    peer = peer\n    database = dependency(lambda service: service.database)",
        ),
        reading("self.database", 8),
    ],
    "fastapi": [
        *served("app.include_router(peer_items.router)"),
        imported("from fastapi import Request"),
        imported("from {package}.runtime.service import database, in_thread"),
        ("peer_items.py", "(item_id: str", "(request: Request, item_id: str"),
        *reading_in_thread("in_thread(request, read, database(request))", "@router.get"),
    ],
    "tornado": [
        ("app.py", HEALTH, f"from . import peer_items\n{HEALTH}"),
        ("app.py", "    routes = [", "    routes = [\n        *peer_items.routes,"),
        *reading_in_thread(
            "self.in_thread(read, self.application.database)", "class OnePeerItem", 8
        ),
    ],
    "sanic": [
        *served("app.blueprint(peer_items.blueprint)"),
        *reading_in_thread("request.app.in_thread(read, request.app.database)", "@blueprint.get"),
    ],
    "django": [
        (
            "urls.py",
            "urlpatterns = [",
            'urlpatterns = [\n    path("", include(f"{__package__}.peer_items")),',
        ),
        imported("from {package}.items.models import Item"),
        ("peer_items.py", FOUND, f"Item.objects.exists()\n        {FOUND}"),
    ],
}


def add_view(framework: str, folder: Path) -> None:
    """Have a service serve what its README and its tests have as an example."""
    package = folder / "src" / PACKAGE
    shutil.copy(folder / "tests" / "peer_items.py", package)
    for name, *change in EDITS[framework]:
        old, new = (words.replace("{package}", PACKAGE) for words in change)
        text = (package / name).read_text()
        assert old in text, f"{name} has no {old!r}"
        (package / name).write_text(text.replace(old, new, 1))


@dataclass
class Asked:
    """A request as the other service got it."""

    method: str
    path: str
    headers: dict[str, str]
    connection: int


@dataclass
class Reply:
    """What the other service answers; `pace` is how long it waits before each byte of the body."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = json.dumps(KNOWN).encode()
    delay: float = 0
    pace: float = 0


class Other:
    """Another service, which does what a test wants."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.reply: Callable[[Asked], Reply] = lambda _: Reply()
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.other = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def of(self, item_id: str) -> list[Asked]:
        return [one for one in self.asked if one.path == f"/v1/items/{item_id}"]

    def answers(self, *replies: Reply) -> None:
        """Give these replies, one after the other; the last one again and again."""
        left = list(replies)
        self.reply = lambda _: left.pop(0) if len(left) > 1 else left[0]

    @contextlib.contextmanager
    def serving(self) -> Iterator[Other]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.over.set()
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    other: Other

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        other = self.server.other
        asked = Asked(self.command, self.path, dict(self.headers.items()), self.client_address[1])
        other.asked.append(asked)
        reply = other.reply(asked)
        other.over.wait(reply.delay)
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if not reply.pace:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            other.over.wait(reply.pace)
            self.wfile.write(bytes([byte]))

    def log_message(self, *_: object) -> None:
        pass


def value_of(metrics: str, name: str, **labels: str) -> float:
    """The value of a series of one dependency, 0 if there is none."""
    for line in metrics.splitlines():
        found = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
        if found and found[1] == name and dict(LABEL.findall(found[2])) == labels:
            return float(found[3])
    return 0.0


def seconds_of(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began
