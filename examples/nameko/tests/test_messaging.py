"""Calls and events: through Nameko's own hooks, and where TEST_AMQP_URL is set through a broker."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import eventlet
import pytest
from nameko.exceptions import MalformedRequest, RemoteError
from nameko.standalone.rpc import ServiceRpcProxy
from nameko.testing.services import entrypoint_waiter, worker_factory
from structlog.testing import capture_logs

from stock_keeper.app import create_app
from stock_keeper.items.model import ITEMS, Item, ItemContent
from stock_keeper.items.service import Items
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
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.messaging import Call, Calls, InternalError, Invalid, Subscription
from stock_keeper.runtime.outbox import AnnouncedStore, Outbox
from stock_keeper.runtime.service import Service
from stock_keeper.settings import Settings

Store = AnnouncedStore[Item, ItemContent]


@pytest.fixture
def events(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
def items(database: Database) -> Items:
    """The service class with the store that it has in production."""
    service: Items = worker_factory(Items, items=Store(ITEMS, database))
    return service


def sent_by(events: Outbox) -> list[Any]:
    sent: list[Any] = []

    def send(batch: Sequence[Any], arrived: Callable[[Any], None]) -> None:
        for event in batch:
            sent.append(event)
            arrived(event)

    events.send(send)
    return sent


def test_an_item_is_created_found_listed_and_deleted(items: Items) -> None:
    created = items.create(name="bolt", quantity=7)
    assert (created["name"], created["quantity"]) == ("bolt", 7)
    assert items.get(created["id"]) == created
    assert items.list() == {"items": [created], "next_cursor": None}
    assert items.replace(created["id"], name="nut")["quantity"] == 0
    assert items.patch(created["id"], quantity=8)["name"] == "nut"
    items.delete(created["id"])
    with pytest.raises(NotFound):
        items.get(created["id"])


def test_a_walk_over_the_pages_sees_each_item_once(items: Items) -> None:
    names = [items.create(name=f"item {number}")["name"] for number in range(5)]
    first = items.list(limit=3)
    second = items.list(limit=3, cursor=first["next_cursor"])
    assert [item["name"] for item in first["items"] + second["items"]] == names


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": "x", "quantity": "7"}, {"name": "x", "quantity": True}, {"name": 7}],
)
def test_what_is_not_an_item_is_rejected(items: Items, fields: dict[str, Any]) -> None:
    with pytest.raises(Problem) as caught:
        items.create(**fields)
    told = messaging.public_error(caught.value)
    assert isinstance(told, Invalid)
    assert "/name" in str(told) or "/quantity" in str(told)


def test_a_page_that_cannot_be_is_refused(items: Items) -> None:
    with pytest.raises(Problem) as caught:
        items.list(limit=0)
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


def test_an_event_is_stored_with_its_item_or_not_at_all(items: Items, events: Outbox) -> None:
    created = items.create(name="bolt")
    with pytest.raises(Duplicate):
        items.create(name="bolt")
    (event,) = sent_by(events)
    assert (event.service, event.event) == ("items", "item_created")
    assert event.data["item"] == created
    assert sent_by(events) == []


def test_what_could_not_be_sent_waits_in_its_order(items: Items, events: Outbox) -> None:
    names = [items.create(name=f"item {number}")["name"] for number in range(3)]
    seen: list[str] = []

    def fail_at_the_second(batch: Sequence[Any], arrived: Callable[[Any], None]) -> None:
        seen.append(batch[0].data["item"]["name"])
        arrived(batch[0])
        raise Unavailable

    with pytest.raises(Unavailable):
        events.send(fail_at_the_second)
    seen += [event.data["item"]["name"] for event in sent_by(events)]
    assert seen == names


def test_more_events_than_go_together_are_all_sent(
    monkeypatch: pytest.MonkeyPatch, items: Items, events: Outbox
) -> None:
    monkeypatch.setattr(outbox, "_BATCH", 2)
    names = [items.create(name=f"item {number}")["name"] for number in range(5)]
    assert [event.data["item"]["name"] for event in sent_by(events)] == names


def test_two_senders_do_not_send_the_same(items: Items, events: Outbox, database: Database) -> None:
    items.create(name="bolt")
    others: list[Any] = []
    events.send(lambda *_: others.extend(sent_by(Outbox(database))))
    assert others == []


def test_what_a_sender_that_died_has_claimed_is_sent_by_another(
    monkeypatch: pytest.MonkeyPatch, items: Items, events: Outbox
) -> None:
    items.create(name="bolt")
    monkeypatch.setattr(outbox, "CLAIM_SECONDS", -1)
    assert len(events._claim()) == 1
    assert len(sent_by(events)) == 1


def test_the_handler_tells_which_event_it_saw(items: Items) -> None:
    with capture_logs() as lines:
        items.on_item_created({"event_id": "e", "item": {"id": "i"}})
    assert lines == [
        {"event": "item_created", "event_id": "e", "item_id": "i", "log_level": "info"}
    ]


class Message:
    """A message as it arrives; remembers what became of it."""

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
        Subscription("items", "item_created").handle_message_processed(
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


def test_a_call_goes_through_the_broker_and_back(running: Service, broker_url: str) -> None:
    with ServiceRpcProxy("items", {"AMQP_URI": broker_url}, timeout=10) as items:
        created = items.create(name="bolt", quantity=7)
        assert items.get(created["id"]) == created
        with pytest.raises(RemoteError, match="Duplicate"):
            items.create(name="bolt")
        items.delete(created["id"])


def test_the_event_of_a_new_item_reaches_its_handler(running: Service) -> None:
    store = Store(ITEMS, running.database)
    name = uuid4().hex
    (container,) = running.messaging.containers

    def is_mine(*_: Any) -> bool:
        return True

    with entrypoint_waiter(container, "on_item_created", timeout=10, callback=is_mine) as seen:
        store.create(ItemContent(name=name))
    assert seen.get() is None
    assert sent_by(Outbox(running.database)) == []
