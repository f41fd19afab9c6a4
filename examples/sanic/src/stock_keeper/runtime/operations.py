"""Attach OpenAPI descriptions to handlers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from pydantic import BaseModel

from .telemetry import METHODS

if TYPE_CHECKING:
    from .resource import Resource

Handler = TypeVar("Handler", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__operation__"
_JSON: Final = ("application/json",)


@dataclass(frozen=True, slots=True)
class Operation:
    """A handler as the document describes it.

    `parameters` and `headers` are names of components in the document, or filters of the resource;
    `query` is a model of further query parameters; `problems` are the other statuses that are
    particular to this operation. `conflicts` adds a 409 if the table has a constraint that allows
    one: on unique `content`, or `references` to it.
    """

    id: str
    summary: str
    description: str = ""
    parameters: tuple[str, ...] = ()
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_types: tuple[str, ...] = _JSON
    status: int = 200
    answer: type[BaseModel] | None = None
    answer_types: tuple[str, ...] = _JSON
    headers: tuple[str, ...] = ()
    problems: tuple[int, ...] = ()
    conflicts: Literal["content", "references"] | None = None
    resource: "Resource[Any, Any] | None" = None


def operation(  # noqa: PLR0913
    summary: str = "",
    *,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    body_types: tuple[str, ...] = _JSON,
    status: int = 200,
    answer: type[BaseModel] | None = None,
    answer_types: tuple[str, ...] = _JSON,
    problems: tuple[int, ...] = (),
    resource: "Resource[Any, Any] | None" = None,
) -> Callable[[Handler], Handler]:
    """Describe your own handler: `@operation(answer=Receipt, problems=(404,))`.

    The operation gets its ID from the handler's name, and its summary and description from the
    docstring. `query` is a model of its query parameters. Name the `body_types` and `answer_types`
    that are not JSON, such as `("text/csv",)`; a file has no model.
    """

    def describe(handler: Handler) -> Handler:
        found = replace(operation_of(handler), query=query, body=body, body_types=body_types)
        found = replace(found, answer=answer, answer_types=answer_types, status=status)
        found = replace(found, problems=problems, summary=summary or found.summary)
        return described(handler, resource, found)

    return describe


def described(handler: Handler, resource: "Resource[Any, Any] | None", found: Operation) -> Handler:
    """Attach an operation to a handler."""
    setattr(handler, _ATTRIBUTE, replace(found, resource=resource))
    return handler


def attached(handler: Callable[..., Any]) -> Operation | None:
    """The operation that was attached to a handler, if one was."""
    found = getattr(handler, _ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None


def operation_of(handler: Callable[..., Any]) -> Operation:
    """The operation of a handler; a minimal one if none was attached."""
    found = attached(handler)
    if found is not None:
        return found
    qualified: str = getattr(handler, "__qualname__", "handler")
    owner, name = ["<locals>", *qualified.split(".")][-2:]
    name = name.removeprefix("on_")
    # A method called `get` in every class needs the class name to be unique.
    if owner != "<locals>" and name.partition("_")[0].upper() in METHODS:
        name = f"{name}_{owner}"
    first, *others = name.split("_")
    summary, _, description = (handler.__doc__ or name.replace("_", " ")).strip().partition("\n\n")
    return Operation(
        first + "".join(part[:1].upper() + part[1:] for part in others),
        " ".join(summary.split()),
        " ".join(description.split()),
    )
