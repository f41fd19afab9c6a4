"""The connections to the broker: for probes, for events and for the service classes."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, Final

import eventlet
import structlog
from eventlet.semaphore import Semaphore
from kombu import Connection, Exchange, Producer
from nameko.standalone.events import get_event_exchange
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from . import Unavailable
from .containers import Container
from .database import READINESS_SECONDS
from .messaging import BROKER_ERRORS, RECONNECT_SECONDS, is_connected
from .outbox import Event, Outbox, filled

HEARTBEAT_SECONDS: Final = 10
PUBLISH_SECONDS: Final = 5
# Events stored meanwhile are claimed and settled together.
GATHER_SECONDS: Final = 0.05
POLL_SECONDS: Final = 5  # for events left behind by another replica
CONNECTED_POLL_SECONDS: Final = 0.2
_log = structlog.get_logger()
# Every worker sees all messages.
_waiting = Gauge(
    "outbox_events_waiting", "Events that are stored and not sent yet.", multiprocess_mode="livemax"
)


class Line:
    """A connection to the broker, opened when it is needed and dropped when it fails or hangs."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._turn = Semaphore()
        self._connection: Any = None
        self._channel: Any = None

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """Use a channel; raises `Unavailable` if the broker is unreachable.

        The time limit covers the whole block.
        """
        late = Unavailable("the broker did not answer in time")
        with eventlet.Timeout(self._seconds, late), self._turn:
            try:
                yield self._channel or self._open()
            except BaseException as error:
                self._drop()
                if isinstance(error, BROKER_ERRORS):
                    raise Unavailable("the broker is unreachable") from error
                raise

    def answers(self) -> bool:
        """Whether the broker responds in time."""
        for _ in range(2):  # the connection may have ended since it was last used
            is_new = self._channel is None
            try:
                with self.channel() as channel:
                    channel.basic_qos(0, 1, False)
                return True
            except Unavailable as error:
                if is_new or error.__cause__ is None:
                    return False
        return False

    def _open(self) -> Any:
        parameters = Connection(self._url, connect_timeout=5)
        self._connection = parameters.transport.establish_connection()
        self._channel = self._connection.channel()
        return self._channel

    def _drop(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            connection.collect()  # closing it properly would wait for the broker


class Publisher(Line):
    """A connection for events; the broker confirms each of them."""

    def publish(self, events: Sequence[Event], arrived: Callable[[Event], None]) -> None:
        """Call `arrived` with each event that the broker has confirmed.

        All are sent before the first confirmation is awaited, otherwise each would take a round
        trip. Raises `Unavailable` unless all are confirmed.
        """
        with self.channel() as channel:
            self._arrived = arrived
            for event in events:
                exchange: Exchange = get_event_exchange(event.service, {})
                self._pending[next(self._tags)] = event
                Producer(channel).publish(
                    event.data,
                    exchange=exchange,
                    routing_key=event.event,
                    headers=event.headers,
                    declare=[exchange],
                    serializer="json",
                )
            while self._pending:
                self._connection.drain_events()

    def _open(self) -> Any:
        channel = super()._open()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._confirmed)
        channel.events["basic_nack"].add(self._refused)
        self._tags = count(1)
        self._pending: dict[int, Event] = {}
        return channel

    def _confirmed(self, last: int, and_before: bool) -> None:
        for tag in [tag for tag in self._pending if tag == last or (and_before and tag < last)]:
            self._arrived(self._pending.pop(tag))

    def _refused(self, *_: object) -> None:
        raise Unavailable("the broker has rejected an event")


class Messaging:
    """Runs the service classes that need the broker: once it is available, again if one fails."""

    def __init__(self, config: dict[str, Any], outbox: Outbox) -> None:
        self._config = config
        self._outbox = outbox
        self._measure_next = 0.0
        self._services: list[type] = []
        self._running: dict[type, Container] = {}
        self._closing = threading.Event()
        self._probe = Line(config["AMQP_URI"], READINESS_SECONDS)
        self._events = Publisher(config["AMQP_URI"], PUBLISH_SECONDS)

    def add(self, container: Container) -> None:
        """Run the class of this container too; its name has to be unique."""
        if container.service_name in (one.name for one in self._services):  # type: ignore[attr-defined]
            raise ValueError(f"two service classes have the name {container.service_name!r}")
        self._services.append(container.service_cls)

    def start(self) -> None:
        """Start in the background, without waiting."""
        for service in self._services:
            eventlet.spawn(self._run, service)
        self._sender = eventlet.spawn(self._send_events)

    def answers(self) -> bool:
        """Whether messages arrive, and the broker responds."""
        return self._is_connected and self._probe.answers()

    def stop(self, seconds: float) -> None:
        """Take no more messages, and wait up to `seconds` for those that are being handled."""
        if self.answers():  # otherwise nothing arrives and no reply can be sent
            with eventlet.Timeout(seconds, False):
                for container in self.containers:
                    container.stop()

    def close(self, seconds: float) -> None:
        """Stop the sender of events once it has finished its current work, or after `seconds`.

        Remaining events are sent by another replica, or after the next start.
        """
        self._closing.set()
        filled.set()
        with eventlet.Timeout(seconds, False):
            self._sender.wait()
        self._sender.kill()

    @property
    def containers(self) -> list[Container]:
        """The containers that are running; they are replaced after each failure."""
        return list(self._running.values())

    @property
    def _is_connected(self) -> bool:
        return all(
            service in self._running and is_connected(self._running[service])
            for service in self._services
        )

    def _run(self, service: type) -> None:
        while True:
            container = self._running[service] = Container(service, self._config, broker=True)
            try:
                container.start()
                container.wait()
                return
            except Exception as error:
                _log.error("messaging_failed", service=container.service_name, exc_info=error)
            eventlet.sleep(RECONNECT_SECONDS)

    def _send_events(self) -> None:
        while not self._closing.is_set():
            self._measure_backlog()
            # Events sent before the queues of this service's handlers exist would be lost.
            if not self._is_connected:
                self._closing.wait(CONNECTED_POLL_SECONDS)
                continue
            filled.clear()
            try:
                self._outbox.send(self._events.publish)
            except (Unavailable, SQLAlchemyError) as error:
                _log.warning("events_wait", error=type(error).__name__)
                self._closing.wait(RECONNECT_SECONDS)
            except Exception as error:
                _log.error("unhandled_error", exc_info=error)
                self._closing.wait(RECONNECT_SECONDS)
            else:
                self._closing.wait(GATHER_SECONDS)
                if not self._closing.is_set():
                    filled.wait(POLL_SECONDS)

    def _measure_backlog(self) -> None:
        if time.monotonic() < self._measure_next:
            return
        self._measure_next = time.monotonic() + POLL_SECONDS
        with suppress(Unavailable, SQLAlchemyError):  # the database has logged the reason
            _waiting.set(self._outbox.backlog())
