"""The OpenAPI document: FastAPI generates it from the routes, and it is completed here."""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from .document import (
    ApiDocument,
    Document,
    Route,
    base,
    parameter_of,
    problem_response,
    problems_of,
    refine,
    schemas_of,
    tag_of,
)
from .operations import Operation, attached
from .resource import MERGE_PATCH

# FastAPI's own response to invalid values.
_REPLACED = frozenset({"HTTPValidationError", "ValidationError"})
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


class FastApiDocument(ApiDocument):
    """The document of a FastAPI application."""

    def __init__(self, app: FastAPI, root_path: str) -> None:
        super().__init__(lambda: _routes(app), root_path)
        self._app = app

    @property
    def content(self) -> Document:
        """The document returned by `app.openapi()`."""
        return self._app.openapi()


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem responses of a route: `responses=problems(401, 404)`."""
    return {status: problem_response(status) for status in statuses}


def complete(made: Document, contexts: Iterable[RouteContext]) -> Document:
    """FastAPI's document, completed by the common parts and the descriptions of handlers.

    `contexts` are the routes from which FastAPI generated it.
    """
    document, components = base(), made.get("components", {})
    schemas = components.get("schemas", {})
    tags: Document = {}
    described = [(one, attached(one.endpoint) if one.endpoint else None) for one in contexts]
    exact, _ = schemas_of([operation for _, operation in described if operation is not None])
    _restore_numbers(schemas, exact)
    for context, operation in described:
        for method in context.methods or ():
            entry = made["paths"].get(context.path_format, {}).get(method.lower())
            if entry is not None:
                _complete(entry, context, operation)
        if operation is not None and operation.resource is not None:
            tags[operation.resource.plural] = tag_of(operation.resource)
            if operation.body is not None:
                refine(schemas.get(operation.body.__name__, {}), operation.resource)
    tags |= {tag["name"]: tag for tag in made.get("tags", ())}
    components["schemas"] = {name: schemas[name] for name in schemas if name not in _REPLACED}
    for section, found in components.items():
        document["components"].setdefault(section, {}).update(found)
    document["info"] |= made["info"]
    document["paths"] = made["paths"] | document["paths"]
    document["tags"] = [*tags.values(), *document["tags"]]
    return made | document


def _restore_numbers(made: Any, exact: Any) -> None:
    """Take the bounds of numbers from pydantic: FastAPI converts them to inexact floats."""
    if isinstance(made, dict) and isinstance(exact, dict):
        for name in made.keys() & exact.keys():
            if name in _NUMBERS and isinstance(exact[name], int):
                made[name] = exact[name]
            _restore_numbers(made[name], exact[name])
    elif isinstance(made, list) and isinstance(exact, list):
        for one, other in zip(made, exact, strict=False):
            _restore_numbers(one, other)


def _complete(entry: Document, context: RouteContext, operation: Operation | None) -> None:
    responses = entry["responses"]
    may_be_invalid = "HTTPValidationError" in str(responses.get("422"))
    if may_be_invalid:
        del responses["422"]
    success = responses[str(context.status_code or 200)]
    if operation is None:
        refusals: tuple[int, ...] = (413, 415) if "requestBody" in entry else ()
        refusals += (422,) if may_be_invalid else ()
        operation = Operation(entry["operationId"], entry["summary"], problems=refusals)
    else:
        _describe(entry, operation)
        for name in operation.headers:
            header = {"$ref": f"#/components/headers/{name}"}
            success.setdefault("headers", {}).setdefault(name, header)
    for status, response in problems_of(operation).items():
        responses.setdefault(status, response)
    for response in responses.values():
        if "$ref" in response:
            response.pop("description", None)  # the problem's own is more precise than FastAPI's
        else:
            header = {"$ref": "#/components/headers/X-Request-ID"}
            response.setdefault("headers", {}).setdefault("X-Request-ID", header)


def _describe(entry: Document, operation: Operation) -> None:
    """Add the operation attached to the handler, which FastAPI does not know."""
    entry |= {"operationId": operation.id, "summary": operation.summary}
    if operation.description:
        entry["description"] = operation.description
    found = [parameter_of(name, operation.resource) for name in operation.parameters]
    if found:
        entry["parameters"] = [*entry.get("parameters", ()), *found]
    content = entry.get("requestBody", {}).get("content", {})
    if MERGE_PATCH in content:
        content.setdefault("application/json", content[MERGE_PATCH])


def _routes(app: FastAPI) -> Iterator[Route]:
    """Every method of every route in the document."""
    for context in iter_route_contexts(app.routes):
        if context.endpoint is not None and context.path_format is not None:
            for method in sorted(context.methods or ()):
                yield Route(method, context.path_format, context.endpoint)
