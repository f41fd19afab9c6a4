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
from pydantic import ValidationError
from structlog.testing import capture_logs

from stock_keeper.app import Service, Settings, create_app
from stock_keeper.items.service import AnnouncedItems, ItemContent, Items
from stock_keeper.runtime import Duplicate, NotFound, Unavailable, messaging, outbox
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.messaging import Call, Calls, InternalError, Invalid, Subscription
from stock_keeper.runtime.outbox import Outbox


@pytest.fixture
def events(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
def items(database: Database, events: Outbox) -> Items:
    """The service class with the store that it has in production."""
    service: Items = worker_factory(Items, store=AnnouncedItems(database, events))
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
    created = items.create("bolt", 7)
    assert (created["name"], created["quantity"]) == ("bolt", 7)
    assert items.get(created["id"]) == created
    assert items.list() == {"items": [created], "next_cursor": None}
    items.delete(created["id"])
    with pytest.raises(NotFound):
        items.get(created["id"])


def test_a_walk_over_the_pages_sees_each_item_once(items: Items) -> None:
    names = [items.create(f"item {number}")["name"] for number in range(5)]
    first = items.list(limit=3)
    second = items.list(limit=3, cursor=first["next_cursor"])
    assert [item["name"] for item in first["items"] + second["items"]] == names


@pytest.mark.parametrize("arguments", [("",), ("x", "7"), ("x", True), (7,)])
def test_what_is_not_an_item_is_refused(items: Items, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        items.create(*arguments)
    assert isinstance(messaging.public_error(caught.value), Invalid)


def test_a_page_that_cannot_be_is_refused(items: Items) -> None:
    with pytest.raises(Problem) as caught:
        items.list(limit=0)
    assert "limit" in str(messaging.public_error(caught.value))


def test_a_caller_learns_nothing_of_the_inside() -> None:
    assert isinstance(messaging.public_error(Duplicate("taken")), Duplicate)
    with capture_logs() as lines:
        told = messaging.public_error(KeyError("secret"))
    assert isinstance(told, InternalError)
    assert "secret" not in str(told)
    assert lines[0]["event"] == "unhandled_error"


def test_an_event_is_stored_with_its_item_or_not_at_all(items: Items, events: Outbox) -> None:
    created = items.create("bolt")
    with pytest.raises(Duplicate):
        items.create("bolt")
    (event,) = sent_by(events)
    assert (event.service, event.event) == ("items", "item_created")
    assert event.data["item"] == created
    assert sent_by(events) == []


def test_what_could_not_be_sent_waits_in_its_order(items: Items, events: Outbox) -> None:
    names = [items.create(f"item {number}")["name"] for number in range(3)]
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
    names = [items.create(f"item {number}")["name"] for number in range(5)]
    assert [event.data["item"]["name"] for event in sent_by(events)] == names


def test_two_senders_do_not_send_the_same(items: Items, events: Outbox, database: Database) -> None:
    items.create("bolt")
    others: list[Any] = []
    events.send(lambda *_: others.extend(sent_by(Outbox(database))))
    assert others == []


def test_what_a_sender_that_died_has_claimed_is_sent_by_another(
    monkeypatch: pytest.MonkeyPatch, items: Items, events: Outbox
) -> None:
    items.create("bolt")
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
    store = AnnouncedItems(running.database, running.config["outbox"])
    name = uuid4().hex
    (container,) = running.messaging.containers

    def is_mine(*_: Any) -> bool:
        return True

    with entrypoint_waiter(container, "on_item_created", timeout=10, callback=is_mine) as seen:
        store.create(ItemContent(name=name))
    assert seen.get() is None
    assert sent_by(running.config["outbox"]) == []
