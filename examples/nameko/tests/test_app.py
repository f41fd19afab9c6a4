"""What a service class may do: routes, checks, dependencies, timers and tasks."""

import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import eventlet
import httpx
import pytest
from kombu.exceptions import OperationalError
from nameko.exceptions import BadRequest
from nameko.extensions import DependencyProvider
from nameko.web.handlers import http as nameko_http
from structlog.testing import capture_logs
from werkzeug.exceptions import Forbidden, TooManyRequests, abort
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from stock_keeper.app import create_app
from stock_keeper.products.model import PRODUCTS
from stock_keeper.products.routes import ProductRoutes
from stock_keeper.products.service import Products
from stock_keeper.runtime import Duplicate, unawaited
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.jobs import timer
from stock_keeper.runtime.messaging import rpc
from stock_keeper.runtime.service import Service, dependency, store
from stock_keeper.runtime.web import http
from stock_keeper.settings import Settings


class Broken(DependencyProvider):  # type: ignore[misc]
    """A dependency that is not there."""

    def get_dependency(self, worker_ctx: Any) -> None:
        raise LookupError("secret")


class Fails:
    """Fails in every way."""

    name = "fails"
    broken = Broken()

    @http("GET", "/dependency")
    def use(self, request: Request) -> str:
        return "never"


class Trials:
    """Routes of all kinds."""

    name = "trials"
    tasks = dependency(lambda service: service.tasks)
    done: ClassVar[list[str]] = []

    @http("GET", "/forbidden")
    def forbid(self, request: Request) -> None:
        raise Forbidden("not yours")

    @http("GET", "/later")
    def delay(self, request: Request) -> None:
        raise TooManyRequests("slower", retry_after=7)

    @http("GET", "/aborted")
    def abort(self, request: Request) -> None:
        abort(Response("own", 418))

    @http("GET", "/expected", expected_exceptions=(LookupError,))
    def expect(self, request: Request) -> None:
        raise LookupError("no such colour")

    @http("GET", "/taken", expected_exceptions=(Duplicate,))
    def expect_with_a_status(self, request: Request) -> None:
        raise Duplicate("taken")

    @http("GET", "/bad")
    def refuse(self, request: Request) -> None:
        raise BadRequest("not like this")

    @http("GET", "/broker")
    def call(self, request: Request) -> None:
        raise OperationalError("no broker")

    @http("GET", "/unexpected")
    def fail(self, request: Request) -> None:
        raise LookupError("secret")

    @nameko_http("GET", "/nameko")  # type: ignore[untyped-decorator]
    def fail_as_ever(self, request: Request) -> None:
        raise LookupError("secret")

    @http("GET", "/tuple/<int:number>")
    def count(self, request: Request, number: int) -> tuple[int, str]:
        self.tasks.spawn(self.done.append, f"task {number}")
        self.tasks.spawn(self.done.index, "never there")
        return 202, str(number)

    @timer(0.01, eager=True)
    def tick(self) -> None:
        self.done.append("tick")


@pytest.fixture
def app(settings: Settings, database: Database) -> Iterator[Service]:
    app = create_app(settings)
    yield app
    app.database.close()


@pytest.fixture
def asked(app: Service) -> Callable[[str], tuple[int, str, Any]]:
    """Asks for a path of `Trials`: the status, the content type and the body as JSON or text."""
    app.add_service(Trials, Fails)
    client = Client(app)

    def ask(path: str) -> tuple[int, str, Any]:
        response = client.get(path)
        is_json = response.mimetype.endswith("json")
        body = json.loads(response.text) if is_json else response.text
        return response.status_code, response.mimetype, body

    return ask


Asked = Callable[[str], tuple[int, str, Any]]


def test_werkzeugs_errors_keep_what_they_say(app: Service, asked: Asked) -> None:
    status, kind, body = asked("/forbidden")
    assert (status, kind, body["detail"]) == (403, "application/problem+json", "not yours")
    delayed = Client(app).get("/later")
    assert (delayed.status_code, delayed.headers["Retry-After"]) == (429, "7")
    assert asked("/aborted") == (418, "text/plain", "own")


def test_an_error_that_a_route_expects_is_the_clients_fault(asked: Asked) -> None:
    for path, expected in (
        ("/expected", (400, "no such colour")),
        ("/taken", (409, "taken")),
        ("/bad", (400, "not like this")),
        ("/broker", (503, "The broker does not answer.")),
    ):
        status, _, body = asked(path)
        assert (status, body["detail"]) == expected


@pytest.mark.parametrize("path", ["/unexpected", "/nameko", "/dependency"])
def test_nothing_of_the_inside_is_told(asked: Asked, path: str) -> None:
    for _ in range(2):  # a dependency that fails does not end the service
        status, kind, body = asked(path)
        assert (status, kind) == (500, "application/problem+json")
        assert "secret" not in str(body)


def test_a_path_has_typed_parameters_and_a_task_runs_after_the_response(
    app: Service, asked: Asked
) -> None:
    with capture_logs() as lines:
        assert asked("/tuple/7") == (202, "text/plain", "7")
        app.tasks.wait()
    assert "task 7" in Trials.done
    assert [line["task"] for line in lines if line["event"] == "task_failed"] == ["list.index"]
    assert 'http_route="/tuple/{number}"' in Client(app).get("/metrics").text


def test_a_timer_ticks_until_the_service_stops(app: Service) -> None:
    app.add_service(Trials)
    (container,) = (one for one in app.containers if one.service_cls is Trials)
    Trials.done.clear()
    container.start()
    with eventlet.Timeout(5):
        while Trials.done.count("tick") < 3:
            eventlet.sleep(0.01)
    container.stop()
    ticks = len(Trials.done)
    eventlet.sleep(0.05)
    assert len(Trials.done) == ticks


def test_a_check_sees_every_request_but_those_for_the_endpoints(
    app: Service, client: httpx.Client
) -> None:
    def check(request: Request) -> None:
        raise Problem(401, headers={"WWW-Authenticate": "Bearer"})

    app.before_request(check)
    for path in ("/v1/products", "/nowhere"):
        rejected = Client(app).post(path, data="not JSON")
        assert rejected.status_code == 401
        assert rejected.headers["WWW-Authenticate"] == "Bearer"
    assert Client(app).get("/livez").status_code == 200


def test_a_check_may_answer_by_itself(app: Service) -> None:
    app.before_request(lambda request: Response("closed", 403))
    assert Client(app).get("/v1/products").text == "closed"


def test_a_check_that_nothing_awaits_lets_nobody_in(app: Service) -> None:
    async def check(request: Request) -> None:
        raise Problem(401)

    def forget(request: Request) -> None:
        check(request)

    with pytest.raises(TypeError, match="nothing awaits it"):
        app.before_request(check)  # type: ignore[arg-type]
    app.before_request(forget)
    with warnings.catch_warnings(record=True):
        unawaited.watch()  # pytest replaces what the service has set
        assert Client(app).get("/v1/products").status_code == 500


def test_a_check_that_answers_neither_way_lets_nobody_in(app: Service) -> None:
    app.before_request(lambda request: request.path)  # type: ignore[arg-type, return-value]
    assert Client(app).get("/v1/products").status_code == 500


class Elsewhere:
    """Has a store of the same name as other routes, as a copy of them would."""

    name = "elsewhere"
    products = store(PRODUCTS)

    @http("GET", "/v1/elsewhere")
    def look(self, request: Request) -> str:
        return "elsewhere"


class Both(ProductRoutes, Elsewhere):
    """What would answer elsewhere with the store of products."""


class Again:
    """Answers what another class answers already."""

    name = "again"

    @http("GET", PRODUCTS.path + "/<other_id>")
    def get_other(self, request: Request, other_id: str) -> str:
        return other_id


class Namesake:
    """Would get half of the calls for products."""

    name = Products.name

    @rpc
    def create(self) -> None:
        """Create nothing."""


class Empty:
    """Has nothing to call."""

    name = "empty"


@pytest.mark.parametrize(
    ("service", "error", "message"),
    [
        (Both, TypeError, "Both inherits products from both"),
        (Again, ValueError, "other_id} is answered by both"),
        (Namesake, ValueError, "two service classes have the name 'products'"),
        (Empty, TypeError, "Empty has no entrypoints"),
    ],
)
def test_service_classes_that_would_get_mixed_up_are_rejected(
    app: Service, service: type, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        app.add_service(service)


def test_each_service_class_has_its_own_dependencies(app: Service) -> None:
    app.add_service(Elsewhere)
    assert Client(app).get("/v1/elsewhere").text == "elsewhere"
    assert Client(app).get("/v1/products").get_json() == {"products": [], "next_cursor": None}
