"""The entrypoints for messages: Nameko's, made to outlive a broker that goes and callers that lie.

An error that Nameko lets escape from them ends the whole container, and the message that caused
it comes again.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import eventlet
import structlog
from amqp.exceptions import AMQPError
from kombu.message import Message
from nameko.events import EventHandler
from nameko.exceptions import BadRequest, MalformedRequest
from nameko.extensions import DependencyProvider
from nameko.messaging import HeaderDecoder, QueueConsumer
from nameko.rpc import Rpc, RpcConsumer
from pydantic import ValidationError

from . import Duplicate, NotFound, Outdated, Unavailable
from .http import Problem

Method = TypeVar("Method", bound=Callable[..., Any])
ErrorInfo = tuple[type[BaseException], BaseException, Any]

BROKER_ERRORS: Final = (OSError, AMQPError)
RECONNECT_SECONDS: Final = 2
REPLY_SECONDS: Final = 10
# What a caller may be told; anything else is an InternalError.
_PUBLIC_ERRORS = (NotFound, Duplicate, Outdated, Unavailable, BadRequest)
_log = structlog.get_logger()


class Invalid(Exception):
    """The arguments of a call are not valid; the message says which, and why."""


class InternalError(Exception):
    """The call failed for a reason that the log knows."""


def rpc(method: Method) -> Method:
    """Let a method of a service be called by others: `<service>.<method>`."""
    decorated: Method = Call.decorator(method)
    return decorated


def event_handler(service: str, event: str) -> Callable[[Method], Method]:
    """Let a method be called with each event of a service.

    Every event comes at least once, to one replica. One that finds the database out of reach
    comes again; one that fails otherwise is rejected, which sends it to the dead-letter exchange
    where the broker has one for its queue.
    """
    decorator: Callable[[Method], Method] = Subscription.decorator(service, event)
    return decorator


class Trace(DependencyProvider):  # type: ignore[misc]
    """Puts the ids of a request into every line of the log; new ones where none came along.

    Nameko passes them on to whatever the worker itself calls.
    """

    def worker_setup(self, worker_ctx: Any) -> None:
        for name in ("request_id", "trace_id"):
            given = worker_ctx.data.get(name)
            kept = given[:128] if isinstance(given, str) else os.urandom(16).hex()
            worker_ctx.data[name] = kept
            structlog.contextvars.bind_contextvars(**{name: kept})


class Consumer(QueueConsumer):  # type: ignore[misc]
    """The one connection on which messages arrive."""

    is_connected = False

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
        _log.warning("broker_out_of_reach", error=type(exc).__name__, retry_seconds=interval)

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        _log.warning("message_refused", error=type(exc).__name__)
        self.settle(message.reject)

    def ack_message(self, message: Message) -> None:
        self.settle(message.ack)

    def requeue_message(self, message: Message) -> None:
        self.settle(message.requeue)

    def settle(self, how: Callable[[], object]) -> None:
        """Tell the broker what became of a message; if it has gone, it will send it again."""
        with suppress(*BROKER_ERRORS):
            how()


def is_connected(container: Any) -> bool:
    """Whether messages for this container arrive."""
    extensions = container.shared_extensions.values()
    return any(isinstance(one, Consumer) and one.is_connected for one in extensions)


class Calls(RpcConsumer):  # type: ignore[misc]
    """Where calls arrive, and their answers leave."""

    queue_consumer = Consumer()

    def handle_message(self, body: Any, message: Message) -> None:
        if not message.properties.get("reply_to"):
            _log.warning("message_refused", error="there is no reply_to")
            self.queue_consumer.settle(message.reject)
            return
        message.started = time.perf_counter()
        super().handle_message(body, message)

    def handle_result(
        self, message: Message, result: Any, exc_info: ErrorInfo | None
    ) -> tuple[Any, ErrorInfo | None]:
        error = public_error(exc_info[1]) if exc_info else None
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
            _log.warning("answer_not_sent", error=type(lost).__name__)
            self.queue_consumer.ack_message(message)
        return result, told


class SafeHeaders(HeaderDecoder):  # type: ignore[misc]
    """What comes with a message, without a stack of calls that is none."""

    def unpack_message_headers(self, message: Message) -> dict[str, Any]:
        data: dict[str, Any] = super().unpack_message_headers(message)
        stack = data.get("call_id_stack")
        if not isinstance(stack, list) or not all(isinstance(call, str) for call in stack):
            data.pop("call_id_stack", None)
        return data


class Call(SafeHeaders, Rpc):  # type: ignore[misc]
    """A method that others call."""

    rpc_consumer = Calls()

    def handle_message(self, body: Any, message: Message) -> None:
        if not isinstance(body, dict):
            raise MalformedRequest("a call is an object of `args` and `kwargs`")
        try:
            json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise MalformedRequest("half of a surrogate pair is no text") from None
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
                _log.warning("event_comes_again", event_type=self.event_type)
                eventlet.sleep(RECONNECT_SECONDS)
                consumer.settle(message.requeue)
            case _:
                _log.error("unhandled_error", event_type=self.event_type, exc_info=exc_info)
                consumer.settle(message.reject)


def public_error(error: BaseException) -> BaseException:
    """What a caller is told of an error; what is not foreseen is logged."""
    match error:
        case Problem():
            return Invalid("; ".join(f"{one['pointer']}: {one['detail']}" for one in error.errors))
        case ValidationError():
            return Invalid("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors()))
    if isinstance(error, _PUBLIC_ERRORS):
        return error
    _log.error("unhandled_error", exc_info=error)
    return InternalError("The log of the service says why.")


def silence_workers() -> None:
    """Every error of a worker is logged where it is answered: not once more by its container."""
    logging.getLogger("nameko.containers").addFilter(
        lambda record: "error handling worker" not in str(record.msg)
    )
