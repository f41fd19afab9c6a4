"""The service as it runs: its HTTP face, and beside it what speaks with the broker.

They are two containers, so that a broker that is not there, or ends one of them, leaves the other
alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import eventlet
import structlog
from eventlet.semaphore import Semaphore
from kombu import Connection, Exchange, Producer
from nameko.containers import ServiceContainer
from nameko.extensions import DependencyProvider
from nameko.standalone.events import get_event_exchange
from sqlalchemy.exc import SQLAlchemyError

from . import Unavailable
from .database import READINESS_SECONDS, Database
from .messaging import BROKER_ERRORS, RECONNECT_SECONDS, is_connected, silence_workers
from .outbox import Event, Outbox
from .settings import Settings
from .web import WebServer

# A request that waits for the database holds a worker: more than ever wait, so that probes get one.
HTTP_WORKERS: Final = 200
MESSAGE_WORKERS: Final = 20
HEARTBEAT_SECONDS: Final = 10
PUBLISH_SECONDS: Final = 5
# Events that come meanwhile are claimed together, and settled together.
GATHER_SECONDS: Final = 0.05
POLL_SECONDS: Final = 5  # for the events that a replica left behind
CONNECTED_POLL_SECONDS: Final = 0.2
_log = structlog.get_logger()


class Dependency(DependencyProvider):  # type: ignore[misc]
    """Gives each worker what a function makes of the configuration that all services share."""

    def __init__(self, make: Callable[[dict[str, Any]], object]) -> None:
        self._make = make

    def get_dependency(self, worker_ctx: Any) -> object:
        return self._make(self.container.config)


def dependency(make: Callable[[dict[str, Any]], object]) -> Any:
    """An attribute of a service class that each worker gets from `make`."""
    return Dependency(make)


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
        """A channel; `Unavailable` if the broker is out of reach.

        The time runs from here to the end of the block.
        """
        late = Unavailable("the broker did not answer in time")
        with eventlet.Timeout(self._seconds, late), self._turn:
            try:
                yield self._channel or self._open()
            except BaseException as error:
                self._drop()
                if isinstance(error, BROKER_ERRORS):
                    raise Unavailable("the broker is out of reach") from error
                raise

    def answers(self) -> bool:
        """Whether the broker answers in time."""
        for _ in range(2):  # a connection that was there may have ended since it was last used
            with_new = self._channel is None
            try:
                with self.channel() as channel:
                    channel.basic_qos(0, 1, False)
                return True
            except Unavailable as error:
                if with_new or error.__cause__ is None:
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
            connection.collect()  # a polite end would wait for an answer


class Publisher(Line):
    """A line for events, each of which the broker confirms."""

    def publish(self, events: Sequence[Event], arrived: Callable[[Event], None]) -> None:
        """Call `arrived` with each that the broker takes; `Unavailable` unless it takes them all.

        All are sent before the first is waited for: else each would take a round trip.
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
        raise Unavailable("the broker refuses an event")


class Messaging:
    """The service classes for messages: started when the broker is there, anew when one fails."""

    def __init__(self, services: tuple[type, ...], config: dict[str, Any]) -> None:
        self._services = services
        self._config = config
        self._running: dict[type, Any] = {}
        self._probe = Line(config["AMQP_URI"], READINESS_SECONDS)
        self._events = Publisher(config["AMQP_URI"], PUBLISH_SECONDS)

    def start(self) -> None:
        """Begin in the background: this waits for nothing."""
        for service in self._services:
            eventlet.spawn(self._run, service)
        eventlet.spawn(self._send_events)

    def answers(self) -> bool:
        """Whether messages arrive, and the broker answers."""
        return self._is_connected and self._probe.answers()

    def stop(self, seconds: float) -> None:
        """Take no more messages; calls that are being answered may go on for so long."""
        if self.answers():  # else nothing arrives, and no answer leaves
            with eventlet.Timeout(seconds, False):
                for container in self.containers:
                    container.stop()

    @property
    def containers(self) -> list[ServiceContainer]:
        """What runs now; another one after each failure."""
        return list(self._running.values())

    @property
    def _is_connected(self) -> bool:
        return all(
            service in self._running and is_connected(self._running[service])
            for service in self._services
        )

    def _run(self, service: type) -> None:
        while True:
            container = self._running[service] = ServiceContainer(service, self._config)
            try:
                container.start()
                container.wait()
                return
            except Exception as error:
                _log.error("messaging_failed", service=container.service_name, exc_info=error)
            eventlet.sleep(RECONNECT_SECONDS)

    def _send_events(self) -> None:
        outbox: Outbox = self._config["outbox"]
        while True:
            # Not before the queues of this service's own handlers are there to take them.
            if not self._is_connected:
                eventlet.sleep(CONNECTED_POLL_SECONDS)
                continue
            outbox.filled.clear()
            try:
                outbox.send(self._events.publish)
            except (Unavailable, SQLAlchemyError) as error:
                _log.warning("events_wait", error=type(error).__name__)
                eventlet.sleep(RECONNECT_SECONDS)
            except Exception as error:
                _log.error("unhandled_error", exc_info=error)
                eventlet.sleep(RECONNECT_SECONDS)
            else:
                eventlet.sleep(GATHER_SECONDS)
                outbox.filled.wait(POLL_SECONDS)


class Service:
    """Everything that runs in this process."""

    def __init__(self, settings: Settings, web: type, *messages: type) -> None:
        self.database = Database(settings)
        outbox = Outbox(self.database)
        self.config: dict[str, Any] = {
            "AMQP_URI": settings.amqp_url,
            "HEARTBEAT": HEARTBEAT_SECONDS,
            "settings": settings,
            "database": self.database,
            "outbox": outbox,
            "max_workers": MESSAGE_WORKERS,
        }
        self.config["messaging"] = self.messaging = Messaging(messages, self.config)
        self.web = ServiceContainer(web, {**self.config, "max_workers": HTTP_WORKERS})
        silence_workers()

    def start(self) -> None:
        """Listen, and begin to look for the broker."""
        self.web.start()
        self._life = eventlet.spawn(self.web.wait)
        self.messaging.start()

    @property
    def is_alive(self) -> bool:
        """Whether the HTTP face is up; it ends on its own only by a defect."""
        return not self._life.dead

    def stop(self, seconds: float) -> None:
        """Take nothing new, and let what is in flight end; at most for so long."""
        end = time.monotonic() + seconds
        server = self.server
        server.close()
        messages = eventlet.spawn(self.messaging.stop, seconds)
        while server.is_busy and time.monotonic() < end:
            eventlet.sleep(0.05)
        messages.wait()
        self.database.close()

    @property
    def server(self) -> WebServer:
        """The HTTP server, which all routes share."""
        extensions = self.web.shared_extensions.values()
        return next(one for one in extensions if isinstance(one, WebServer))
