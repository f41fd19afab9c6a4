"""Calls and events over a broker: what is special about the frameworks that speak to one.

The broker is RabbitMQ, of the tests' own, to be stopped, frozen and brought back. The caller is
no framework at all: kombu, and the messages as Nameko writes them.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange, Message, Producer, Queue

from tests.contract.conftest import Launch, NewDatabase
from tests.contract.databases import Database
from tests.contract.items import ITEMS, create, fresh_name
from tests.servers import RabbitMQ, rabbitmq, wait_until
from tests.services import Project, Service

pytestmark = [pytest.mark.beside("rabbitmq"), pytest.mark.fault]

CALLS = Exchange("nameko-rpc", type="topic", durable=True)
EVENTS = Exchange("items.events", type="topic", durable=True)
PASSWORD = "s3cret-of-the-br@ker"
NORMAL_AGAIN = 10.0

Answer = dict[str, Any]


class Caller:
    """Calls methods of services, and listens to their events, as any of their kind would."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        self._channel = self._connection.channel()
        self.reply_to = str(uuid.uuid4())
        self._answers: dict[str, Answer] = {}
        replies = Queue(f"rpc.reply-{self.reply_to}", CALLS, self.reply_to, auto_delete=True)
        Consumer(self._channel, [replies], callbacks=[self._keep]).consume()
        self.producer = Producer(self._channel)

    def close(self) -> None:
        self._connection.release()

    def send(self, method: str, *args: object, **kwargs: object) -> str:
        """Make a call, and do not wait; answers what its answer will be known by."""
        return self.send_raw(method, {"args": args, "kwargs": kwargs})

    def send_raw(self, method: str, body: object, **properties: object) -> str:
        correlation_id = str(uuid.uuid4())
        given = {"reply_to": self.reply_to, "correlation_id": correlation_id, **properties}
        self.producer.publish(body, exchange=CALLS, routing_key=method, declare=[CALLS], **given)
        return correlation_id

    def answer(self, correlation_id: str, seconds: float = 20) -> Answer:
        def is_there() -> bool:
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=0.1)
            return correlation_id in self._answers

        wait_until(is_there, seconds, "an answer to the call")
        return self._answers[correlation_id]

    def call(self, method: str, *args: object, **kwargs: object) -> Answer:
        return self.answer(self.send(method, *args, **kwargs))

    def result(self, method: str, *args: object, **kwargs: object) -> Any:
        answer = self.call(method, *args, **kwargs)
        assert answer["error"] is None, answer
        return answer["result"]

    def error(self, method: str, *args: object, **kwargs: object) -> Answer:
        answer = self.call(method, *args, **kwargs)
        assert answer["result"] is None, answer
        error: Answer = answer["error"]
        return error

    def waiting(self, queue: str) -> int:
        """How many messages nobody has taken yet."""
        count: int = self._channel.queue_declare(queue, passive=True).message_count
        return count

    def subscribe(self, queue: str, **arguments: str | int) -> None:
        """Keep the events of items in a durable queue, from now on."""
        kept = Queue(queue, EVENTS, "item_created", durable=True, queue_arguments=arguments)
        kept(self._channel).declare()

    def unsubscribe(self, queue: str) -> None:
        self._channel.queue_delete(queue)

    def events(self, queue: str) -> list[Answer]:
        """What has come to that queue, taken from it."""
        found = []
        while message := self._channel.basic_get(queue, no_ack=True):
            found.append(json.loads(message.body))
        return found

    def _keep(self, body: Answer, message: Message) -> None:
        message.ack()
        self._answers[message.properties["correlation_id"]] = body


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    with rabbitmq() as server:
        yield server


@pytest.fixture
def broker(server: RabbitMQ) -> RabbitMQ:
    """Without the calls that an earlier service left: the next would answer them."""
    with Connection(server.url) as connection:
        connection.channel().queue_delete("rpc-items")
    return server


@pytest.fixture
def caller(broker: RabbitMQ) -> Iterator[Caller]:
    with contextlib.closing(Caller(broker.url)) as caller:
        yield caller


@pytest.fixture
def subscription(broker: RabbitMQ) -> str:
    """A queue that keeps each event of an item from here on, whatever happens to the broker."""
    name = f"test-{uuid.uuid4()}"
    with contextlib.closing(Caller(broker.url)) as caller:
        caller.subscribe(name)
    return name


@pytest.fixture
def spoken(launch: Launch, broker: RabbitMQ) -> Service:
    """A service that is ready, on a broker that may be broken."""
    service = launch(AMQP_URL=broker.url)
    wait_until_ready(service)
    return service


def wait_until_ready(service: Service, seconds: float = NORMAL_AGAIN) -> None:
    wait_until(lambda: service.http.get("/readyz").status_code == 200, seconds, "ready")


def assert_not_ready_for_its_broker(service: Service) -> None:
    before = time.monotonic()
    answer = service.http.get("/readyz")
    assert time.monotonic() - before < 3
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == {"status": "fail"}
    assert answer.json()["checks"]["database"] == {"status": "pass"}


def assert_live(service: Service) -> None:
    before = time.monotonic()
    assert service.http.get("/livez").status_code == 200
    assert time.monotonic() - before < 1


def assert_told_of(queue: str, broker: RabbitMQ, names: set[str], seconds: float) -> None:
    """An event of each of these items comes, whole, and more than once only as itself."""
    found: list[Answer] = []

    def all_there() -> bool:
        found.extend(caller.events(queue))
        return names <= {event["item"]["name"] for event in found}

    with contextlib.closing(Caller(broker.url)) as caller:
        wait_until(all_there, seconds, f"events of {sorted(names)}")
    items = {event["event_id"]: event["item"]["id"] for event in found}
    assert len(items) == len(set(items.values())), "an event that came twice has one event_id"


def logged(service: Service, event: str) -> list[dict[str, Any]]:
    return [entry for entry in service.log if entry["event"] == event]


@pytest.mark.contract("R1", "R2", "R3")
@pytest.mark.usefixtures("spoken")
def test_items_are_created_found_listed_and_deleted_by_calls(caller: Caller) -> None:
    created = [caller.result("items.create", name=fresh_name(), quantity=n) for n in range(5)]
    assert caller.result("items.get", created[2]["id"]) == created[2]
    first = caller.result("items.list", limit=3)
    second = caller.result("items.list", limit=3, cursor=first["next_cursor"])
    assert first["items"] + second["items"] == created
    assert second["next_cursor"] is None
    assert caller.result("items.delete", created[0]["id"]) is None
    assert caller.error("items.get", created[0]["id"])["exc_type"] == "NotFound"


@pytest.mark.contract("P8", "R3")
def test_calls_and_routes_see_the_same_items(spoken: Service, caller: Caller) -> None:
    called = caller.result("items.create", name=fresh_name(), quantity=7)
    assert spoken.http.get(f"{ITEMS}/{called['id']}").json() == called
    posted = create(spoken.http).json()
    assert caller.result("items.get", posted["id"]) == posted
    assert caller.error("items.create", name=posted["name"])["exc_type"] == "Duplicate"


REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("create", {"name": ""}, "Invalid"),
    ("create", {"name": "a\nb"}, "Invalid"),
    ("create", {"name": "x", "quantity": "7"}, "Invalid"),
    ("create", {"name": "x", "quantity": 10**6 + 1}, "Invalid"),
    ("create", {"name": None}, "Invalid"),
    ("create", {"nme": "x"}, "Invalid"),
    ("get", {"id": "x"}, "IncorrectSignature"),
    ("get", {"item_id": "abc"}, "NotFound"),
    ("get", {"item_id": {"a": 1}}, "NotFound"),
    ("list", {"limit": 0}, "Invalid"),
    ("list", {"limit": "1&cursor=x"}, "Invalid"),
    ("list", {"cursor": "x"}, "Invalid"),
    ("explode", {}, "MethodNotFound"),
]


@pytest.mark.contract("E3")
def test_what_a_call_may_not_is_told(spoken: Service, caller: Caller) -> None:
    for method, arguments, error in REFUSED:
        told = caller.error(f"items.{method}", **arguments)["exc_type"]
        assert (method, arguments, told) == (method, arguments, error)
    assert not logged(spoken, "unhandled_error")


HOSTILE: dict[str, tuple[Any, dict[str, object]]] = {
    "no object": ("text", {}),
    "null": (None, {}),
    "no arguments": ({}, {}),
    "arguments that are none": ({"args": 7, "kwargs": "x"}, {}),
    "no answer wanted": ({"args": [], "kwargs": {}}, {"reply_to": None}),
    "a stack that is none": (
        {"args": [], "kwargs": {}},
        {"headers": {"nameko.call_id_stack": 5, "nameko.request_id": {"a": 1}}},
    ),
    "half a surrogate pair": ({"args": [], "kwargs": {"name": "\ud800"}}, {}),
    "no JSON": (b"{{{", {"content_type": "application/json", "content_encoding": "utf-8"}),
    "not UTF-8": (b'"\xff"', {"content_type": "application/json", "content_encoding": "utf-8"}),
    "a pickle": (b"cos\nsystem\n.", {"content_type": "application/x-python-serialize"}),
    "deep": (b"[" * 100_000, {"content_type": "application/json", "content_encoding": "utf-8"}),
}


@pytest.mark.contract("E3")
def test_no_message_does_harm(spoken: Service, caller: Caller) -> None:
    """It is refused or answered, once; the next call is answered as ever."""
    for what, (body, properties) in HOSTILE.items():
        caller.send_raw("items.create", body, **properties)
        assert caller.result("items.list", limit=1) == {"items": [], "next_cursor": None}, what
        wait_until(lambda: caller.waiting("rpc-items") == 0, 5, "nothing comes again")
    assert not logged(spoken, "messaging_failed")
    assert not logged(spoken, "unhandled_error")


@pytest.mark.contract("E4", "H4")
def test_an_internal_error_of_a_call_tells_nothing(
    launch: Launch, new_migrated: NewDatabase, broker: RabbitMQ, caller: Caller
) -> None:
    database = new_migrated()
    service = launch(database, AMQP_URL=broker.url)
    wait_until_ready(service)
    with database.broken():
        sent = caller.send_raw(
            "items.list", {"args": [], "kwargs": {}}, headers={"nameko.request_id": "mine"}
        )
        error = caller.answer(sent)["error"]
    assert error["exc_type"] == "InternalError"
    for word in ("items", "sql", "select", "Operational", "Programming", "Traceback"):
        assert word.lower() not in str(error["value"]).lower()
    (line,) = logged(service, "unhandled_error")
    assert "Traceback" in line["exception"]
    assert line["request_id"] == "mine"


@pytest.mark.contract("H3", "H4")
def test_an_event_tells_of_each_new_item_and_finds_its_handler(
    spoken: Service, caller: Caller, broker: RabbitMQ, subscription: str
) -> None:
    """By whichever face it came; the line of the handler leads back to the request."""
    request_id = str(uuid.uuid4())
    posted = fresh_name()
    headers = {"X-Request-ID": request_id}
    assert spoken.http.post(ITEMS, json={"name": posted}, headers=headers).status_code == 201
    called = caller.result("items.create", name=fresh_name())
    assert spoken.http.post(ITEMS, json={"name": posted}).status_code == 409
    assert_told_of(subscription, broker, {posted, called["name"]}, 5)

    def handled() -> bool:
        entries = logged(spoken, "item_created")
        return {e["item_id"] for e in entries} >= {called["id"]} and any(
            entry["request_id"] == request_id for entry in entries
        )

    wait_until(handled, 5, "the handler saw both")


@pytest.mark.slow
@pytest.mark.contract("P6", "P8", "H1", "H3")
def test_a_broker_that_goes_costs_readiness_and_nothing_that_was_stored(
    spoken: Service, broker: RabbitMQ, subscription: str
) -> None:
    """Writes go on; their events come when it is back, and so do calls, without a restart."""
    broker.stop()
    try:
        wait_until(lambda: spoken.http.get("/readyz").status_code == 503, 5, "not ready")
        assert_not_ready_for_its_broker(spoken)
        assert_live(spoken)
        names = {create(spoken.http).json()["name"] for _ in range(3)}
    finally:
        broker.start()
    wait_until_ready(spoken)
    with contextlib.closing(Caller(broker.url)) as caller:
        assert caller.result("items.create", name=fresh_name())
    assert_told_of(subscription, broker, names, NORMAL_AGAIN)
    assert_only_json(spoken)


@pytest.mark.slow
@pytest.mark.contract("P6", "P8")
def test_events_outlive_the_broker_and_the_service_together(
    launch: Launch, new_migrated: NewDatabase, broker: RabbitMQ, subscription: str
) -> None:
    """Both are gone, the service by SIGKILL, before a single event was sent."""
    database = new_migrated()
    broker.stop()
    try:
        service = launch(database, AMQP_URL=broker.url)
        assert_not_ready_for_its_broker(service)
        assert_live(service)
        names = {create(service.http).json()["name"] for _ in range(3)}
        service.kill()
    finally:
        broker.start()
    wait_until_ready(launch(database, AMQP_URL=broker.url))
    assert_told_of(subscription, broker, names, NORMAL_AGAIN)


@pytest.mark.contract("P6", "H3")
def test_events_that_the_broker_refuses_come_when_it_takes_them(
    spoken: Service, broker: RabbitMQ, caller: Caller, subscription: str
) -> None:
    """A queue that is full refuses what comes for it; once it has gone, that is sent after all."""
    full, later = f"full-{uuid.uuid4()}", f"later-{uuid.uuid4()}"
    caller.subscribe(full, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    accepted = create(spoken.http).json()["name"]
    assert_told_of(subscription, broker, {accepted}, NORMAL_AGAIN)
    refused = {create(spoken.http).json()["name"] for _ in range(3)}
    wait_until(lambda: bool(logged(spoken, "events_wait")), NORMAL_AGAIN, "they are refused")
    caller.subscribe(later)
    caller.unsubscribe(full)
    after = create(spoken.http).json()["name"]
    assert_told_of(later, broker, refused | {after}, NORMAL_AGAIN)
    assert_only_json(spoken)


@pytest.mark.slow
@pytest.mark.contract("P6", "H1")
def test_a_start_without_the_broker_waits_for_it(launch: Launch, broker: RabbitMQ) -> None:
    broker.stop()
    try:
        service = launch(AMQP_URL=broker.url)
        assert_not_ready_for_its_broker(service)
        assert_live(service)
        assert create(service.http).status_code == 201
    finally:
        broker.start()
    wait_until_ready(service)
    with contextlib.closing(Caller(broker.url)) as caller:
        assert caller.result("items.list")["items"]


@pytest.mark.slow
@pytest.mark.contract("P7", "H1")
def test_a_broker_that_hangs_holds_up_nobody(
    spoken: Service, broker: RabbitMQ, subscription: str
) -> None:
    create(spoken.http)
    broker.freeze()
    try:
        assert_not_ready_for_its_broker(spoken)
        names = set()
        for _ in range(5):
            before = time.monotonic()
            names.add(create(spoken.http).json()["name"])
            assert time.monotonic() - before < 2
            assert_live(spoken)
    finally:
        broker.resume()
    wait_until_ready(spoken, 3 * NORMAL_AGAIN)
    assert_told_of(subscription, broker, names, 3 * NORMAL_AGAIN)


@pytest.mark.contract("P5")
def test_a_call_in_flight_gets_its_answer_from_a_service_that_ends(
    launch: Launch, new_migrated: NewDatabase, broker: RabbitMQ, caller: Caller
) -> None:
    database = new_migrated()
    service = launch(database, AMQP_URL=broker.url, DATABASE_TIMEOUT_SECONDS="30")
    wait_until_ready(service)
    with database.hold_writes():
        sent = caller.send("items.create", name=fresh_name())
        wait_until(lambda: caller.waiting("rpc-items") == 0, 5, "the call is in flight")
        service.terminate()
        with pytest.raises(pytest.fail.Exception):
            caller.answer(sent, 2)
        assert service.is_running()
    assert caller.answer(sent)["error"] is None
    assert service.wait_for_exit(5) == 0


@pytest.mark.contract("P5")
def test_a_service_whose_broker_is_not_there_ends_as_fast(launch: Launch) -> None:
    service = launch(AMQP_URL="amqp://127.0.0.1:1/")
    service.terminate()
    assert service.wait_for_exit(5) == 0


@pytest.mark.contract("P4", "H3")
def test_the_password_of_the_broker_is_never_shown(launch: Launch, broker: RabbitMQ) -> None:
    """Neither while it is refused nor while nobody is there."""
    for port in (broker.port, 1):
        url = f"amqp://keeper:{PASSWORD.replace('@', '%40')}@127.0.0.1:{port}/"
        service = launch(AMQP_URL=url)
        wait_until(lambda: service.http.get("/readyz").status_code == 503, 5, "not ready")  # noqa: B023
        assert_live(service)
        assert create(service.http).status_code == 201
        service.terminate()
        assert service.wait_for_exit(5) == 0
        assert "s3cret" not in service.output
        assert_only_json(service)


@pytest.mark.contract("P4")
@pytest.mark.parametrize("url", ["nonsense", "http://me:s3cret@host/", "amqp://me:s3cret@host:x/"])
def test_an_address_that_is_none_of_a_broker_is_refused(
    project: Project, new_database: NewDatabase, url: str
) -> None:
    assert_refused(project, {"DATABASE_URL": new_database().url, "AMQP_URL": url})


@pytest.mark.contract("P4")
def test_beside_a_real_database_the_broker_has_no_default(
    project: Project, new_database: NewDatabase
) -> None:
    """Its address holds a password, and a default would be a known one."""
    database: Database = new_database()
    environment = {"DATABASE_URL": database.url, "AMQP_URL": ""}
    if database.kind == "sqlite":
        assert project.run("migrate", environment=environment).returncode == 0
    else:
        assert_refused(project, environment)


def assert_refused(project: Project, environment: dict[str, str]) -> None:
    result = project.run("migrate", environment=environment, timeout=30)
    output = result.stdout + result.stderr
    assert result.returncode > 0
    assert "AMQP_URL" in output
    assert "s3cret" not in output
    assert len(output.splitlines()) == 1


def assert_only_json(service: Service) -> None:
    parse: Callable[[str], object] = json.loads
    for line in service.lines:
        assert isinstance(parse(line), dict), line
