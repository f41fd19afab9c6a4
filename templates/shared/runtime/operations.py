"""What the OpenAPI document says about a handler, attached to the handler itself."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel

from .telemetry import METHODS

if TYPE_CHECKING:
    from .resource import Resource

Handler = TypeVar("Handler", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__operation__"


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler as the document describes it.

    `parameters` and `headers` are names of components of the document, or filters of the resource;
    `problems` are the statuses beside `status` that are particular to it.
    """

    id: str
    summary: str
    description: str = ""
    parameters: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    body_types: tuple[str, ...] = ("application/json",)
    status: int = 200
    answer: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    problems: tuple[int, ...] = ()
    resource: "Resource[Any, Any] | None" = None


def operation(  # noqa: PLR0913
    summary: str = "",
    *,
    body: type[BaseModel] | None = None,
    status: int = 200,
    answer: type[BaseModel] | None = None,
    problems: tuple[int, ...] = (),
    resource: "Resource[Any, Any] | None" = None,
) -> Callable[[Handler], Handler]:
    """Describe a handler of your own: `@operation(answer=Receipt, problems=(404,))`.

    The ID comes from the name of the handler, and of its class if that name is a method of HTTP;
    the summary and the description come from its docstring.
    """

    def describe(handler: Handler) -> Handler:
        found = replace(
            operation_of(handler),
            body=body,
            status=status,
            answer=answer,
            problems=problems,
            resource=resource,
        )
        return described(handler, resource, replace(found, summary=summary or found.summary))

    return describe


def described(handler: Handler, resource: "Resource[Any, Any] | None", found: Operation) -> Handler:
    """Attach an operation to a handler."""
    setattr(handler, _ATTRIBUTE, replace(found, resource=resource))
    return handler


def operation_of(handler: Callable[..., Any]) -> Operation:
    """The operation of a handler; one that says little if none was attached."""
    attached = getattr(handler, _ATTRIBUTE, None)
    if isinstance(attached, Operation):
        return attached
    words = _words(getattr(handler, "__qualname__", "handler"))
    summary, _, description = (handler.__doc__ or " ".join(words)).strip().partition("\n\n")
    return Operation(
        words[0] + "".join(word.capitalize() for word in words[1:]),
        " ".join(summary.split()),
        " ".join(description.split()),
    )


def _words(name: str) -> list[str]:
    """The words of a handler's name; those of its class too if it has that of a method of HTTP."""
    owner, _, own = name.rpartition("<locals>.")[2].rpartition(".")
    words = own.removeprefix("on_").split("_")
    if owner and (own.startswith("on_") or own.upper() in METHODS):
        words += re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", owner).lower().split("_")
    return words
