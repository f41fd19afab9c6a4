"""A page in a real browser: what reaches the service when somebody uses it.

The browser talks to a proxy in front of the service, which adds a script to the page, in place of
somebody's hands, and remembers what was asked and answered.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.contract.wire import Address
from tests.servers import missing

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    *("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-extensions", "--no-proxy-server"),
    "--no-sandbox",  # it shows no page but the service's, and a container's root has no other way
)
HANDS = """
const ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const filled = new Set();
const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
const tryAll = () => setInterval(() => {
  for (const one of document.querySelectorAll(".opblock:not(.is-open) .opblock-summary-control")) {
    one.click();
  }
  for (const one of document.querySelectorAll(".try-out__btn:not(.cancel)")) one.click();
  for (const block of document.querySelectorAll(".opblock:has(.execute)")) {
    if (filled.has(block.id)) continue;
    filled.add(block.id);
    for (const input of block.querySelectorAll("tr[data-param-in=path] input")) {
      set.call(input, ID);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    // The page takes up what is typed only after a moment.
    setTimeout(() => block.querySelector(".execute").click(), 1000);
  }
}, 100);
"""
"""Opens each operation of Swagger UI, fills in its path and sends it with the examples it shows."""

SIGNING_IN = """
const signing = setInterval(() => {
  const input = document.querySelector("#auth-bearer-value");
  if (!input) return document.querySelector(".auth-wrapper .authorize")?.click();
  clearInterval(signing);
  set.call(input, TOKEN);
  input.dispatchEvent(new Event("input", { bubbles: true }));
  setTimeout(() => {
    document.querySelector(".auth-btn-wrapper .authorize").click();
    setTimeout(() => document.querySelector(".auth-btn-wrapper .btn-done").click(), 300);
    setTimeout(tryAll, 600);
  }, 300);
}, 100);
"""
"""Gives the page a token before anything is tried."""

Seen = tuple[str, str, int]
"""Method, path without its query, and status."""


@contextlib.contextmanager
def everything_tried(service: Address, page: str, token: str = "") -> Iterator[list[Seen]]:
    """Within the block a browser has the page open and tries all that it offers.

    If there is a token, the page is given it first.
    """
    seen: list[Seen] = []
    script = f"const TOKEN = {json.dumps(token)};{HANDS}" + (SIGNING_IN if token else "tryAll();")
    with _proxy(service, page, script, seen) as port, _browser(f"http://127.0.0.1:{port}{page}"):
        yield seen


@contextlib.contextmanager
def _proxy(service: Address, page: str, script: str, seen: list[Seen]) -> Iterator[int]:
    trusted = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection(*service, timeout=20)
            headers = {name: self.headers[name] for name in self.headers if name != "Connection"}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            if self.path == page:
                content += f"<script>{script}</script>".encode()
            connection.close()
            seen.append((self.command, self.path.partition("?")[0], answer.status))
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "connection", "server", "date"}:
                    # The page's own policy stays as it is, so that it is tried too.
                    self.send_header(
                        name, value.replace("script-src ", f"script-src 'sha256-{trusted}' ")
                    )
            if answer.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """The test's output is not the place for it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@contextlib.contextmanager
def _browser(url: str) -> Iterator[None]:
    found = next(filter(None, map(shutil.which, BROWSERS)), "")
    if not found:
        missing("there is no Chromium here to open a page with")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [found, *OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-port=0", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
