"""Calls and events: through Nameko's own hooks, and where TEST_AMQP_URL is set through a broker."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import eventlet
import httpx
import pytest
import samples
from nameko.exceptions import MalformedRequest, RemoteError
from nameko.standalone.rpc import ServiceRpcProxy
from nameko.testing.services import entrypoint_waiter, worker_factory
from structlog.testing import capture_logs

from stock_keeper.app import create_app
from stock_keeper.products.model import PRODUCTS, Product, ProductContent
from stock_keeper.products.service import Products
from stock_keeper.runtime import (
    Duplicate,
    InvalidContent,
    NotFound,
    StillReferenced,
    Unavailable,
    UnknownReference,
    messaging,
    outbox,
)
from stock_keeper.runtime.containers import Container, dependency
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.messaging import (
    Call,
    Calls,
    InternalError,
    Invalid,
    Subscription,
    rpc,
)
from stock_keeper.runtime.outbox import AnnouncedStore, Outbox
from stock_keeper.runtime.service import Service
from stock_keeper.settings import Settings

Store = AnnouncedStore[Product, ProductContent]


@pytest.fixture
def events(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
def service(database: Database) -> Products:
    """The service class with the store that it has in production."""
    made: Products = worker_factory(Products, products=Store(PRODUCTS, database))
    return made


def sent_by(events: Outbox) -> list[Any]:
    sent: list[Any] = []

    def send(batch: Sequence[Any], arrived: Callable[[Any], None]) -> None:
        for event in batch:
            sent.append(event)
            arrived(event)

    events.send(send)
    return sent


def test_a_row_is_created_found_listed_changed_and_deleted(
    service: Products, client: httpx.Client
) -> None:
    created = service.create(**samples.product_content(client))
    assert service.get(created["id"]) == created
    assert service.list() == {"products": [created], "next_cursor": None}
    content = samples.product_content(client)
    replaced = service.replace(created["id"], **content)
    assert replaced == created | content | {"updated_at": replaced["updated_at"]}
    assert service.patch(created["id"], **content)["id"] == created["id"]
    service.delete(created["id"])
    with pytest.raises(NotFound):
        service.get(created["id"])


def test_a_walk_over_the_pages_sees_each_once(service: Products, client: httpx.Client) -> None:
    created = [service.create(**samples.product_content(client)) for _ in range(3)]
    first = service.list(limit=2)
    second = service.list(limit=2, cursor=first["next_cursor"])
    assert first["products"] + second["products"] == created


@pytest.mark.parametrize("fields", [{"id": "mine"}, {"created_at": "today"}, {"surprise": 1}])
def test_what_cannot_be_set_is_rejected(
    service: Products, client: httpx.Client, fields: dict[str, Any]
) -> None:
    with pytest.raises(Problem) as caught:
        service.create(**samples.product_content(client), **fields)
    told = messaging.public_error(caught.value)
    assert isinstance(told, Invalid)
    assert f"/{next(iter(fields))}" in str(told)


def test_a_page_that_cannot_be_is_refused(service: Products) -> None:
    with pytest.raises(Problem) as caught:
        service.list(limit=0)
    assert "limit" in str(messaging.public_error(caught.value))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UnknownReference(["room_id"]), "/room_id: It refers to nothing that exists."),
        (InvalidContent([(("seats",), "too many")]), "/seats: too many"),
        (Problem(403, "not yours"), "not yours"),
    ],
)
def test_a_client_is_told_what_it_can_do_about(error: Exception, message: str) -> None:
    told = messaging.public_error(error)
    assert (type(told), str(told)) == (Invalid, message)


def test_a_client_learns_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    for public in (Duplicate("taken"), StillReferenced("in use")):
        assert messaging.public_error(public) is public
    told = messaging.public_error(KeyError("secret"))
    assert isinstance(told, InternalError)
    assert "secret" not in str(told)
    assert [record.getMessage() for record in caplog.records] == ["unhandled_error"]


def test_an_error_that_a_method_expects_is_passed_on() -> None:
    expected = LookupError("closed")
    assert messaging.public_error(expected, (LookupError,)) is expected


def test_a_method_may_be_called_with_values_of_each_type(
    service: Products, client: httpx.Client
) -> None:
    created = service.create(**samples.product_content(client))
    assert service.list(limit=1, cursor=None)["products"] == [created]
    for wrong in (7, {"a": 1}, None):
        with pytest.raises(NotFound):
            service.get(wrong)  # type: ignore[arg-type]
    with pytest.raises(Problem) as caught:
        service.list(surprise=True)
    assert "surprise" in str(messaging.public_error(caught.value))


class Closing:
    """Expects to fail."""

    name = "closing"

    @rpc(expected_exceptions=(LookupError,))
    def close(self) -> None:
        raise LookupError("closed")


def test_what_a_method_expects_is_known_to_its_entrypoint() -> None:
    config = {"service": None, "AMQP_URI": "amqp://127.0.0.1:1/"}
    (call,) = Container(Closing, config, broker=True).entrypoints
    message = Message(reply_to="somewhere")
    with pytest.raises(MalformedRequest):
        call.handle_message([], message)
    assert message.expected == (LookupError,)


def test_classes_that_share_a_dependency_get_the_same_object() -> None:
    shared = dependency(lambda service: [service])
    classes = [type(name, (Closing,), {"name": name, "shared": shared}) for name in ("one", "two")]
    config = {"service": "the service", "AMQP_URI": "amqp://127.0.0.1:1/"}
    containers = [Container(kind, config, broker=True) for kind in classes]
    found = [extension for container in containers for extension in container.dependencies]
    for extension in found:
        extension.setup()
    first, second = (extension.get_dependency(None) for extension in found)
    assert first is second


def test_an_event_is_stored_with_its_row_or_not_at_all(
    service: Products, client: httpx.Client, events: Outbox, database: Database
) -> None:
    created = service.create(**samples.product_content(client))
    with suppress(KeyError), database.writing():
        service.create(**samples.product_content(client))
        raise KeyError
    (event,) = sent_by(events)
    assert (event.service, event.event) == ("products", "product_created")
    assert event.data["product"] == created
    assert sent_by(events) == []


def test_what_could_not_be_sent_waits_in_its_order(
    service: Products, client: httpx.Client, events: Outbox
) -> None:
    ids = [service.create(**samples.product_content(client))["id"] for _ in range(3)]
    seen: list[str] = []

    def fail_at_the_second(batch: Sequence[Any], arrived: Callable[[Any], None]) -> None:
        seen.append(batch[0].data["product"]["id"])
        arrived(batch[0])
        raise Unavailable

    with pytest.raises(Unavailable):
        events.send(fail_at_the_second)
    seen += [event.data["product"]["id"] for event in sent_by(events)]
    assert seen == ids


def test_more_events_than_go_together_are_all_sent(
    monkeypatch: pytest.MonkeyPatch, service: Products, client: httpx.Client, events: Outbox
) -> None:
    monkeypatch.setattr(outbox, "_BATCH", 1)
    ids = [service.create(**samples.product_content(client))["id"] for _ in range(3)]
    assert [event.data["product"]["id"] for event in sent_by(events)] == ids


def test_the_backlog_is_what_was_not_sent(
    service: Products, client: httpx.Client, events: Outbox
) -> None:
    for count in (1, 2):
        service.create(**samples.product_content(client))
        assert events.backlog() == count
    sent_by(events)
    assert events.backlog() == 0


def test_two_senders_do_not_send_the_same(
    service: Products, client: httpx.Client, events: Outbox, database: Database
) -> None:
    service.create(**samples.product_content(client))
    others: list[Any] = []
    events.send(lambda *_: others.extend(sent_by(Outbox(database))))
    assert others == []


def test_what_a_sender_that_died_has_claimed_is_sent_by_another(
    monkeypatch: pytest.MonkeyPatch, service: Products, client: httpx.Client, events: Outbox
) -> None:
    service.create(**samples.product_content(client))
    monkeypatch.setattr(outbox, "CLAIM_SECONDS", -1)
    assert len(events._claim()) == 1
    assert len(sent_by(events)) == 1


def test_the_handler_tells_which_event_it_saw(service: Products) -> None:
    with capture_logs() as lines:
        service.on_product_created({"event_id": "e", "product": {"id": "i"}})
    (line,) = lines
    assert (line["event"], line["event_id"]) == ("product_created", "e")
    assert line["product_id"] == "i"


class Message:
    """A message as it arrives; remembers what became of it."""

    expected: tuple[type[Exception], ...] = ()

    def __init__(self, **properties: str) -> None:
        self.properties = properties
        self.headers: dict[str, Any] = {"nameko.call_id_stack": 7, "nameko.request_id": "mine"}
        self.fate = ""

    def ack(self) -> None:
        self.fate = "done"

    def reject(self) -> None:
        self.fate = "rejected"

    def requeue(self) -> None:
        self.fate = "again"


@pytest.mark.parametrize(
    ("error", "fate"), [(None, "done"), (Unavailable(), "again"), (KeyError(), "rejected")]
)
def test_an_event_comes_again_only_if_that_can_help(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, fate: str
) -> None:
    monkeypatch.setattr(messaging, "RECONNECT_SECONDS", 0)
    message = Message()
    with capture_logs():
        Subscription("products", "product_created").handle_message_processed(
            message, None, error and (type(error), error, None)
        )
    assert message.fate == fate


def test_a_call_that_nobody_waits_for_is_rejected() -> None:
    message = Message()
    with capture_logs():
        Calls().handle_message({"args": [], "kwargs": {}}, message)
    assert message.fate == "rejected"


@pytest.mark.parametrize("body", ["no object", {"args": ["\ud800"], "kwargs": {}}])
def test_a_call_that_is_none_is_refused(body: Any) -> None:
    with pytest.raises(MalformedRequest):
        Call().handle_message(body, Message())


def test_headers_that_are_none_of_namekos_do_no_harm() -> None:
    assert Call().unpack_message_headers(Message()) == {"request_id": "mine"}


@pytest.fixture
def running(settings: Settings, database: Database, broker_url: str) -> Iterator[Service]:
    """The service class with its broker, ready to be called."""
    if "TEST_AMQP_URL" not in os.environ:
        pytest.skip("TEST_AMQP_URL names no broker")
    service = create_app(settings)
    service.messaging.start()
    with eventlet.Timeout(15):
        while not service.messaging.answers():
            eventlet.sleep(0.05)
    yield service
    service.messaging.stop(10)


def test_a_call_goes_through_the_broker_and_back(
    running: Service, client: httpx.Client, broker_url: str
) -> None:
    with ServiceRpcProxy("products", {"AMQP_URI": broker_url}, timeout=10) as remote:
        created = remote.create(**samples.product_content(client))
        assert remote.get(created["id"]) == created
        remote.delete(created["id"])
        with pytest.raises(RemoteError, match="NotFound"):
            remote.get(created["id"])


def test_the_event_of_a_new_row_reaches_its_handler(running: Service, client: httpx.Client) -> None:
    store = Store(PRODUCTS, running.database)
    content = json.dumps(samples.product_content(client))
    container = next(one for one in running.messaging.containers if one.service_cls is Products)

    def is_mine(*_: Any) -> bool:
        return True

    with entrypoint_waiter(container, "on_product_created", timeout=10, callback=is_mine) as seen:
        store.create(ProductContent.model_validate_json(content))
    assert seen.get() is None
    assert sent_by(Outbox(running.database)) == []
