"""What handlers get from the runtime, asked by Tornado's own test client."""

import asyncio
import json
import socket
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tornado.httpclient import HTTPResponse
from tornado.testing import AsyncHTTPTestCase, gen_test
from tornado.web import (
    Application,
    Finish,
    HTTPError,
    RequestHandler,
    StaticFileHandler,
    stream_request_body,
)

from stock_keeper.runtime import unawaited
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.service import Handler, Service, route
from stock_keeper.settings import Settings

PROBLEM = "application/problem+json"


class Refuse(Handler):
    def get(self, status: str) -> None:
        """Refuse."""
        self.set_header("WWW-Authenticate", "Basic")
        raise HTTPError(int(status), "not for the client", reason="for the client")


class Finished(Handler):
    def get(self) -> None:
        self.set_status(401)
        self.set_header("WWW-Authenticate", "Basic")
        raise Finish

    def post(self) -> None:
        self.send_error(429, reason="Not so fast")


class Argument(RequestHandler):
    def prepare(self) -> None:
        """Prepare without a call of the base class."""

    def get(self, *_: str) -> None:
        self.write({"got": self.get_argument("wanted")})


class Translated(Handler):
    def translated(self, error: Exception) -> Exception:
        return Problem(410, "Gone.") if isinstance(error, KeyError) else super().translated(error)

    def get(self) -> None:
        raise KeyError("inside")


@stream_request_body
class Upload(Handler):
    size = 0

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def put(self) -> None:
        self.write({"size": self.size})


class Work(Handler):
    def post(self) -> None:
        self.set_status(202)
        self.finish()
        self.application.create_task(work("task"))
        self.application.create_task(fail())


done: list[str] = []


async def work(name: str) -> None:
    await asyncio.sleep(0.05)
    done.append(name)


async def fail() -> None:
    raise RuntimeError("a task that fails")


ROUTES = [
    route("/refused/{status}", Refuse),
    route("/finished", Finished),
    (r"/plain/(\w+)/(\w+)", Argument),
    (r"/never/(a|b)?(c(d))", Argument),
    route("/translated", Translated),
    route("/upload", Upload),
    route("/work", Work),
    (r"/files/(.*)", StaticFileHandler, {"path": Path(__file__).parent}),
]


class ServiceTest(AsyncHTTPTestCase):
    options: dict[str, Any] = {}

    def get_app(self) -> Application:
        self.folder = TemporaryDirectory()
        settings = Settings(database_url=f"sqlite:///{self.folder.name}/test.db")
        self.service = Service(settings, [], ROUTES, **self.options)
        return self.service

    def tearDown(self) -> None:
        self.service.close()
        super().tearDown()
        self.folder.cleanup()

    def told(self, path: str, status: int, **options: Any) -> HTTPResponse:
        """The response, which has to have this status, and to be a problem if it is an error."""
        answer = self.fetch(path, **options)
        assert answer.code == status, (path, answer.code, answer.body)
        assert answer.headers["X-Request-ID"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers
        if status >= 400:
            assert answer.headers["Content-Type"] == PROBLEM
            assert json.loads(answer.body)["status"] == status
        return answer


class HandlerTest(ServiceTest):
    def test_an_error_keeps_what_it_tells_the_client(self) -> None:
        answer = self.told("/refused/403", 403)
        assert json.loads(answer.body)["detail"] == "for the client"
        assert answer.headers["WWW-Authenticate"] == "Basic"
        assert self.told("/finished", 401).headers["WWW-Authenticate"] == "Basic"
        slow = self.told("/finished", 429, method="POST", body="")
        assert json.loads(slow.body)["detail"] == "Not so fast"
        self.told("/plain/a/b", 400)
        self.told("/translated", 410)
        self.told("/files/none", 404)
        self.told("/none", 404, method="OPTIONS")
        self.told("/refused/403", 405, method="DELETE")

    def test_routes_and_handlers_of_tornado_work(self) -> None:
        assert json.loads(self.told("/plain/a/b?wanted=x", 200).body) == {"got": "x"}
        assert b"HandlerTest" in self.told(f"/files/{Path(__file__).name}", 200).body
        paths = json.loads(self.told("/openapi.json", 200).body)["paths"]
        assert "get" in paths["/plain/{arg1}/{arg2}"]
        assert paths["/refused/{status}"]["get"]["operationId"] == "getRefuse"
        assert not any(path.startswith(("/files", "/never")) for path in paths)

    def test_bodies_have_a_limit_however_they_are_sent(self) -> None:
        size = self.service.service_settings.max_body_bytes
        assert json.loads(self.told("/upload", 200, method="PUT", body=b"x" * size).body)["size"]
        for path in ("/upload", "/none", "/livez"):
            self.told(path, 413, method="PUT", body=b"x" * (size + 1))

            async def send(write: Any) -> None:
                for _ in range(3):
                    await write(b"x" * (size // 2))

            self.told(path, 413, method="PUT", body_producer=send)

    def test_what_cannot_be_a_request_is_rejected(self) -> None:
        assert b" 431 " in self.sent(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: %s" % (b"y" * 33_000))
        assert b" 400 " in self.sent(b"get /livez HTTP/1.1\r\nHost: x")
        assert b" 400 " in self.sent(b"GET / HTTP/1.1\r\nHost: a b")
        assert b" 422 " in self.sent(b"GET /?%s HTTP/1.1\r\nHost: x" % (b"a&" * 2_000))
        assert b" 200 " in self.sent(b"GET http://x/%6Civez HTTP/1.1\r\nHost: x")
        large = b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999"
        assert b" 413 " in self.sent(large)
        assert b" 413 " in self.sent(large + b"\r\nExpect: 100-continue")

    def sent(self, head: bytes) -> bytes:
        """The beginning of the response to a request that the client would not send."""

        def exchange() -> bytes:
            with socket.create_connection(("127.0.0.1", self.get_http_port()), 5) as connection:
                connection.sendall(head + b"\r\n\r\n")
                return connection.recv(65_536)

        return self.io_loop.run_sync(lambda: asyncio.to_thread(exchange))

    @gen_test
    async def test_work_goes_on_beside_requests(self) -> None:
        done.clear()
        self.service.every(0.02, lambda: work("job"))
        self.service.start()
        answer = await self.http_client.fetch(self.get_url("/work"), method="POST", body=b"")
        assert (answer.code, done.count("task")) == (202, 0)
        async with asyncio.timeout(10):
            while done.count("job") < 2:
                await asyncio.sleep(0.01)
        await self.service.end()
        assert done.count("task") == 1
        ended = len(done)
        await asyncio.sleep(0.2)
        assert len(done) == ended


def check(handler: Handler) -> None:
    if handler.request.headers.get("Authorization") != "Bearer good":
        raise Problem(401, headers={"WWW-Authenticate": "Bearer"})


async def check_later(handler: Handler) -> None:
    await asyncio.sleep(0.01)
    check(handler)


def check_never(handler: Handler) -> None:
    check_later(handler)  # type: ignore[unused-coroutine]


class CheckTest(ServiceTest):
    options = {"check": check}

    def test_the_check_comes_before_every_handler(self) -> None:
        for path in ("/refused/403", "/plain/a/b?wanted=x", "/files/none", "/none"):
            assert self.told(path, 401).headers["WWW-Authenticate"] == "Bearer"
        for path in ("/livez", "/metrics", "/openapi.json", "/docs"):
            self.told(path, 200)
        signed = {"headers": {"Authorization": "Bearer good"}}
        self.told("/plain/a/b?wanted=x", 200, **signed)
        self.told("/none", 404, **signed)


class LaterCheckTest(CheckTest):
    options = {"check": check_later}


class NoCheckTest(ServiceTest):
    options = {"check": check_never}

    def test_a_check_that_is_not_awaited_lets_nobody_in(self) -> None:
        with warnings.catch_warnings(record=True):
            unawaited.watch()  # pytest replaces what the service has set
            self.told("/plain/a/b?wanted=x", 500)


class AnsweringCheckTest(ServiceTest):
    options = {"check": lambda _: True}

    def test_a_check_that_returns_something_lets_nobody_in(self) -> None:
        self.told("/plain/a/b?wanted=x", 500)
