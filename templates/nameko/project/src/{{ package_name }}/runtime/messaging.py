"""Entrypoints for messages: Nameko's, made to outlive a lost broker and malformed messages.

An error that escapes from one of Nameko's own ends the whole container, and the message that
caused it is delivered again.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar, overload
from urllib.parse import urlencode
from uuid import UUID

import eventlet
import structlog
from amqp.exceptions import AMQPError
from kombu.message import Message
from nameko.events import EventHandler
from nameko.exceptions import BadRequest, MalformedRequest
from nameko.messaging import HeaderDecoder, QueueConsumer
from nameko.rpc import ReplyListener, Rpc, RpcConsumer

from . import Duplicate, NotFound, StaleRevision, StillReferenced, Unavailable, http
from .content import Content
from .http import problem_of
from .resource import PageRequest, Resource
from .tables import Record

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)
Method = TypeVar("Method", bound=Callable[..., Any])
ErrorInfo = tuple[type[BaseException], BaseException, Any]

BROKER_ERRORS: Final = (OSError, AMQPError)
RECONNECT_SECONDS: Final = 2
REPLY_SECONDS: Final = 10
# Exceptions that a client receives unchanged.
_PUBLIC_ERRORS = (NotFound, Duplicate, StaleRevision, StillReferenced, Unavailable, BadRequest)
_log = structlog.get_logger()


class Invalid(Exception):
    """The arguments of a call are not valid; the message says which, and why."""


class InternalError(Exception):
    """The call failed; the log has the reason."""


@overload
def rpc(method: Method, /) -> Method: ...
@overload
def rpc(*, expected_exceptions: tuple[type[Exception], ...]) -> Callable[[Method], Method]: ...
def rpc(
    method: Method | None = None, /, *, expected_exceptions: tuple[type[Exception], ...] = ()
) -> Method | Callable[[Method], Method]:
    """Have other services call a method, as `<service>.<method>`.

    Exceptions of the classes in `expected_exceptions` are passed on to the client as they are.
    """
    decorator: Callable[[Method], Method] = Call.decorator(expected_exceptions=expected_exceptions)
    return decorator if method is None else decorator(method)


def event_handler(service: str, event: str) -> Callable[[Method], Method]:
    """Have a method called with each event of a service.

    Every event is delivered at least once, to one replica. If the handler raises `Unavailable`,
    the event is delivered again; after any other error it is rejected, which sends it to the
    dead-letter exchange of its queue, if the broker has one.
    """
    decorator: Callable[[Method], Method] = Subscription.decorator(service, event)
    return decorator


def read_id(value: object) -> UUID:
    """An argument of a call as the ID of a row; a malformed one is `NotFound`."""
    return http.read_id(str(value))


def read_content(resource: Resource[Row, Sent], fields: Mapping[str, Any]) -> Sent:
    """The arguments of a call as the content of a resource."""
    return resource.read("application/json", None, json.dumps(fields).encode())


def read_patch(resource: Resource[Row, Sent], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call as a patch: the fields that it sets."""
    return resource.read_patch("application/json", None, json.dumps(fields).encode())


def read_query(resource: Resource[Row, Sent], query: Mapping[str, Any]) -> PageRequest:
    """The page requested by a call's arguments, which are those of the list over HTTP."""
    given = {name: value for name, value in query.items() if value is not None}
    texts = {name: _text(value) for name, value in given.items()}
    return resource.read_query(urlencode(texts))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class Consumer(QueueConsumer):  # type: ignore[misc]
    """The one connection on which the messages for a container arrive."""

    is_connected = False

    def run(self, **options: Any) -> None:
        """Receive messages; looks ten times a second whether to stop, where kombu looks once."""
        super().run(safety_interval=0.1, **options)

    @contextmanager
    def establish_connection(self) -> Iterator[Any]:
        with self.create_connection() as connection:
            connection.ensure_connection(
                self.on_connection_error,
                interval_start=RECONNECT_SECONDS,
                interval_step=0,
                interval_max=RECONNECT_SECONDS,
            )
            yield connection

    @contextmanager
    def extra_context(self, connection: Any, channel: Any) -> Iterator[None]:
        self.is_connected = True
        _log.info("broker_connected")
        try:
            yield
        finally:
            self.is_connected = False

    def on_connection_error(self, exc: Exception, interval: float) -> None:
        _log.warning("broker_unreachable", error=type(exc).__name__, retry_seconds=interval)

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        _log.warning("message_rejected", error=type(exc).__name__)
        self.settle(message.reject)

    def ack_message(self, message: Message) -> None:
        self.settle(message.ack)

    def requeue_message(self, message: Message) -> None:
        self.settle(message.requeue)

    def settle(self, how: Callable[[], object]) -> None:
        """Acknowledge or reject a message; a broker that has gone will deliver it again."""
        with suppress(*BROKER_ERRORS):
            how()


class Replies(Consumer):
    """The connection on which replies to calls arrive; nothing waits for it to open or to close."""

    def start(self) -> None:
        eventlet.spawn(super().start)

    def unregister_provider(self, provider: Any) -> None:
        """Do nothing here; see `stop`."""

    def stop(self) -> None:
        if self._gt is not None:
            self._gt.kill()


# Set on Nameko's own class, so that a class of routes with an `RpcProxy` starts without a broker.
ReplyListener.queue_consumer = Replies()


def is_connected(container: Any) -> bool:
    """Whether messages for this container arrive."""
    consumers = container.shared_extensions.values()
    return all(one.is_connected for one in consumers if isinstance(one, Consumer))


class Calls(RpcConsumer):  # type: ignore[misc]
    """Where calls arrive and replies leave."""

    queue_consumer = Consumer()

    def handle_message(self, body: Any, message: Message) -> None:
        if not message.properties.get("reply_to"):
            _log.warning("message_rejected", error="there is no reply_to")
            self.queue_consumer.settle(message.reject)
            return
        message.started = time.perf_counter()
        message.expected = ()
        super().handle_message(body, message)

    def handle_result(
        self, message: Message, result: Any, exc_info: ErrorInfo | None
    ) -> tuple[Any, ErrorInfo | None]:
        error = public_error(exc_info[1], message.expected) if exc_info else None
        _log.info(
            "call",
            method=message.delivery_info["routing_key"],
            error=type(error).__name__ if error else None,
            duration_ms=round((time.perf_counter() - message.started) * 1000, 3),
        )
        told = (type(error), error, None) if error else None
        try:
            with eventlet.Timeout(REPLY_SECONDS):
                super().handle_result(message, result, told)
        except (Exception, eventlet.Timeout) as lost:
            _log.warning("reply_not_sent", error=type(lost).__name__)
            self.queue_consumer.ack_message(message)
        return result, told


class SafeHeaders(HeaderDecoder):  # type: ignore[misc]
    """The headers of a message, without a stack of calls that is malformed."""

    def unpack_message_headers(self, message: Message) -> dict[str, Any]:
        data: dict[str, Any] = super().unpack_message_headers(message)
        stack = data.get("call_id_stack")
        if not isinstance(stack, list) or not all(isinstance(call, str) for call in stack):
            data.pop("call_id_stack", None)
        return data


class Call(SafeHeaders, Rpc):  # type: ignore[misc]
    """A method that other services call."""

    rpc_consumer = Calls()

    def handle_message(self, body: Any, message: Message) -> None:
        message.expected = self.expected_exceptions
        if not isinstance(body, dict):
            raise MalformedRequest("a call is an object of `args` and `kwargs`")
        try:
            json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise MalformedRequest("half of a surrogate pair is not text") from None
        super().handle_message(body, message)


class Subscription(SafeHeaders, EventHandler):  # type: ignore[misc]
    """A method that is called with each event of one kind."""

    queue_consumer = Consumer()

    def handle_message_processed(
        self, message: Message, result: Any = None, exc_info: ErrorInfo | None = None
    ) -> None:
        consumer: Consumer = self.queue_consumer
        match exc_info:
            case None:
                consumer.settle(message.ack)
            case (_, Unavailable(), _):
                _log.warning("event_requeued", event_type=self.event_type)
                eventlet.sleep(RECONNECT_SECONDS)
                consumer.settle(message.requeue)
            case _:
                _log.error("unhandled_error", event_type=self.event_type, exc_info=exc_info)
                consumer.settle(message.reject)


def public_error(
    error: BaseException, expected: tuple[type[BaseException], ...] = ()
) -> BaseException:
    """The exception that a client receives; unexpected errors are logged."""
    if isinstance(error, (*_PUBLIC_ERRORS, *expected)) or not isinstance(error, Exception):
        return error
    problem = problem_of(error)
    if problem.status >= 500:
        return InternalError("The log of the service has the reason.")
    found = "; ".join(f"{one['pointer']}: {one['detail']}" for one in problem.errors)
    return Invalid(found or problem.detail)
