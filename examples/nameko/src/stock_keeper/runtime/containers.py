"""Containers: where Nameko runs the entrypoints of a service class."""

import logging
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar, cast

import structlog
from nameko.containers import ServiceContainer, WorkerContext
from nameko.extensions import (
    ENTRYPOINT_EXTENSIONS_ATTR,
    DependencyProvider,
    Extension,
    iter_extensions,
)
from nameko.messaging import QueueConsumer
from nameko.utils.concurrency import SpawningSet
from nameko.web.handlers import HttpRequestHandler
from werkzeug.wrappers import Request

from .messaging import Call, Subscription
from .web import SUBJECT

Provided = TypeVar("Provided")
Outcome = tuple[Any, Any]


class Container(ServiceContainer):  # type: ignore[misc]
    """Runs either those entrypoints of a service class that need the broker, or the others.

    The two are separate, so that HTTP and timers depend neither on the broker nor on messages that
    make a container fail.
    """

    entrypoints: Any

    def __init__(self, service: type, config: dict[str, Any], *, broker: bool) -> None:
        check_names(service)
        super().__init__(service, config)
        self.entrypoints = SpawningSet(
            entrypoint for entrypoint in self.entrypoints if _needs_broker(entrypoint) == broker
        )
        self.subextensions = SpawningSet(
            inner
            for extension in (*self.entrypoints, *self.dependencies)
            for inner in iter_extensions(extension)
        )
        self._prepared = False

    def prepare(self) -> None:
        """Set up the extensions, once; workers can then be spawned."""
        if not self._prepared:
            self._prepared = True
            self.extensions.all.setup()

    def start(self) -> None:
        """Start all extensions: entrypoints fire from now on."""
        self.started = True
        self.prepare()
        self.extensions.all.start()

    def _run_worker(
        self, context: WorkerContext, handle_result: Callable[..., Outcome] | None
    ) -> None:
        """Run a worker; a dependency that fails is an error of the request, not of the container.

        Nameko would end the container and never respond.
        """
        answered = False

        def answer(*outcome: Any) -> Outcome:
            nonlocal answered
            answered = True
            return handle_result(*outcome) if handle_result else outcome[1:]

        try:
            super()._run_worker(context, answer)
        except Exception as error:
            if answered:
                logging.getLogger(__name__).error("unhandled_error", exc_info=error)
            else:
                answer(context, None, sys.exc_info())

    def _worker_setup(self, context: WorkerContext) -> None:
        """Add the IDs of the request to every log line, and to calls that the worker makes."""
        for name in ("request_id", "trace_id"):
            given = context.data.get(name)
            context.data[name] = given[:128] if isinstance(given, str) else os.urandom(16).hex()
            structlog.contextvars.bind_contextvars(**{name: context.data[name]})
        # A green thread starts without the context of the one that accepted the request.
        request = context.args[0] if context.args else None
        if isinstance(request, Request) and (subject := request.environ.get(SUBJECT)):
            structlog.contextvars.bind_contextvars(subject=subject)
        super()._worker_setup(context)


class Dependency(DependencyProvider):  # type: ignore[misc]
    """Gives every worker the same object, which a function creates before the first worker."""

    def __init__(self, make: Callable[[Any], object]) -> None:
        self._make = make

    def setup(self) -> None:
        self._made = self._make(self.container.config["service"])

    def get_dependency(self, worker_ctx: WorkerContext) -> object:
        return self._made


def _needs_broker(entrypoint: Any) -> bool:
    return any(isinstance(inner, QueueConsumer) for inner in iter_extensions(entrypoint))


def check_names(service: type) -> None:
    """Reject a service class that combines classes which use one name for different extensions.

    Nameko finds extensions by the names of attributes: those of the first class would silently
    replace those of the others.
    """
    for name in dir(service):
        owners = [base for base in service.__mro__ if _is_extended(base.__dict__.get(name))]
        for owner, other in pairwise(owners):
            if not issubclass(owner, other):
                raise TypeError(
                    f"{service.__name__} inherits {name} from both {owner.__name__} and "
                    f"{other.__name__}; add each of them as a service of its own"
                )


def _is_extended(attribute: object) -> bool:
    return isinstance(attribute, Extension) or hasattr(attribute, ENTRYPOINT_EXTENSIONS_ATTR)


def silence_answered_errors() -> None:
    """Let Nameko's containers log only worker errors that are logged nowhere else."""
    logging.getLogger("nameko.containers").addFilter(_is_not_answered)


def _is_not_answered(record: logging.LogRecord) -> bool:
    worker = record.args[0] if isinstance(record.args, tuple) and record.args else None
    entrypoint = getattr(worker, "entrypoint", None)
    return not isinstance(entrypoint, (HttpRequestHandler, Call, Subscription))


def dependency(make: Callable[[Any], Provided]) -> Provided:
    """An attribute of service classes: `make` is called with the service, once in a process.

    `settings = dependency(lambda service: service.settings)`
    """
    return cast(Provided, Dependency(lru_cache(maxsize=1)(make)))
