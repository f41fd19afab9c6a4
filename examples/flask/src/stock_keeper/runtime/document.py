"""The OpenAPI document, generated from the routes and the types that validate requests."""

import json
import re
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import cached_property
from http.client import responses
from importlib import metadata
from importlib.resources import files
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from .. import NAME
from .http import PROBLEM_CONTENT_TYPE
from .operations import Operation, operation_of
from .resource import Resource

Document = dict[str, Any]
Schema = dict[str, Any]

_RUNTIME = files(__name__.rpartition(".")[0])
_PARAMETER = re.compile(r"\{(\w+)\}")
_SHARED: Final = ("limit", "Idempotency-Key", "If-Match", "If-None-Match")
_ALWAYS: Final = (400, 405, 431, 500, 503)
_RESPONSES: Final = {
    400: "BadRequest",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    412: "PreconditionFailed",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    422: "ValidationFailed",
    431: "HeadersTooLarge",
    500: "InternalError",
    503: "Unavailable",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and its path, with parameters as `{name}`."""

    method: str
    path: str
    handler: Callable[..., Any]


class ApiDocument:
    """The document of a service; `routes` is called when the document is first needed."""

    def __init__(self, routes: Callable[[], Iterable[Route]], root_path: str = "") -> None:
        self._routes = routes
        self._servers = {"servers": [{"url": root_path}]} if root_path else {}

    @cached_property
    def content(self) -> Document:
        """The document in OpenAPI 3.1."""
        return build(NAME, metadata.version(NAME), self._routes())

    @cached_property
    def body(self) -> bytes:
        """The document as compact JSON in UTF-8."""
        content = self.content | self._servers
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    def route_of(self, path: str) -> str:
        """The path template that `path` matches, or "".

        For requests that are rejected before the framework has matched them.
        """
        return next((path_ for pattern, path_ in self._patterns if pattern.fullmatch(path)), "")

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        paths = dict.fromkeys(route.path for route in self._routes())
        return [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in paths
        ]


def base() -> Document:
    """The part of the document that all services share."""
    document: Document = json.loads((_RUNTIME / "openapi.json").read_text(encoding="utf-8"))
    return document


def build(title: str, version: str, routes: Iterable[Route]) -> Document:
    """Build the document of these routes; the common parts come from `openapi.json`."""
    document = base()
    document["info"] |= {"title": title, "version": version}
    described = [(route, operation_of(route.handler)) for route in routes]
    schemas, references = schemas_of([operation for _, operation in described])
    ids = {one.resource.id_parameter for _, one in described if one.resource is not None}
    paths: Document = {}
    tags: Document = {}
    for route, operation in described:
        path = paths.setdefault(route.path, {})
        path[route.method.lower()] = _described(route, operation, references, ids)
        if operation.resource is not None:
            tags[operation.resource.plural] = tag_of(operation.resource)
    document["paths"] = paths | document["paths"]
    document["tags"] = [*tags.values(), *document["tags"]]
    document["components"]["schemas"] |= schemas
    return document


def tag_of(resource: Resource[Any, Any]) -> Document:
    """The tag of a resource's operations; its description is the docstring of the table."""
    words = " ".join((resource.table.__doc__ or "").split())
    return {"name": resource.plural} | ({"description": words} if words else {})


def _described(
    route: Route, operation: Operation, references: Callable[..., Schema], ids: Container[str]
) -> Document:
    resource = operation.resource
    entry: Document = {"operationId": operation.id}
    if resource is not None:
        entry["tags"] = [resource.plural]
    entry["summary"] = operation.summary
    if operation.description:
        entry["description"] = operation.description
    parameters = [_in_path(name, name in ids) for name in _PARAMETER.findall(route.path)]
    parameters += [parameter_of(name, resource) for name in operation.parameters]
    if (query := operation.query) is not None:
        parameters += [_own_parameter(name, query) for name in query.model_fields]
    if parameters:
        entry["parameters"] = parameters
    if content := _content(operation.body, operation.body_types, "validation", references):
        entry["requestBody"] = {"required": True, "content": content}
    entry["responses"] = _responses(operation, references)
    return entry


def _content(
    model: type[BaseModel] | None,
    types: Iterable[str],
    mode: JsonSchemaMode,
    references: Callable[..., Schema],
) -> Document:
    """The content of a body by its media types; one that is not JSON may have no model."""
    if model is None:
        return {media: {} for media in types if media != "application/json"}
    return {media: {"schema": references(model, mode)} for media in types}


def _in_path(name: str, is_id: bool) -> Document:
    schema: Schema = {"type": "string"}
    found = {"name": name, "in": "path", "required": True, "schema": schema}
    if is_id:
        schema["format"] = "uuid"
        found["description"] = "The ID. One of another form does not exist: 404."
    return found


def _own_parameter(name: str, model: type[BaseModel]) -> Document:
    """A query parameter as a model of the owner's has it; in a query, nothing is null."""
    whole = model.model_json_schema(schema_generator=_Untitled, ref_template="{model}")
    schema: Schema = dict(whole["properties"][name])
    options = [one for one in schema.pop("anyOf", []) if one.get("type") != "null"]
    if options:
        schema |= options[0] if len(options) == 1 else {"anyOf": options}
    schema |= whole.get("$defs", {}).get(schema.pop("$ref", None), {})
    if schema.get("default", 0) is None:
        del schema["default"]
    found = {"name": name, "in": "query", "required": name in whole.get("required", ())}
    description = schema.pop("description", None)
    return found | ({"description": description} if description else {}) | {"schema": schema}


def parameter_of(name: str, resource: Resource[Any, Any] | None) -> Document:
    """A parameter named by an operation: one that all services have, or the resource's own."""
    plain = resource is None or len(resource.parameters) == len(("limit", "cursor"))
    shared = name in _SHARED or (name == "cursor" and plain)
    if name == "limit" and resource is not None and resource.has_own_pages:
        shared = False
    if resource is None or shared:
        return {"$ref": f"#/components/parameters/{name}"}
    if resource.search is not None and name in resource.search.model_fields:
        return _own_parameter(name, resource.search)
    found: Document = {"name": name, "in": "query", "required": False}
    if name == "limit":
        words = "How many to answer with, at most."
        return found | {"description": words, "schema": resource.limit_schema}
    if name == "cursor":
        words = (
            "Where to continue: next_cursor of the page before, with the same filters and order."
        )
        return found | {"description": words, "schema": {"type": "string"}}
    if name == "sort":
        words = "The order: by a field, or by it in reverse with a minus sign; ties by creation."
        return found | {"description": words, "schema": {"enum": resource.sort_values}}
    return found | {
        "description": "Only those with this value.",
        "schema": resource.filter_schema(name),
    }


def _responses(operation: Operation, references: Callable[..., Schema]) -> Document:
    success: Document = {"description": _success(operation), "headers": _headers(operation.headers)}
    if content := _content(operation.answer, operation.answer_types, "serialization", references):
        success["content"] = content
    return {str(operation.status): success} | problems_of(operation)


def problems_of(operation: Operation) -> Document:
    """The error responses of an operation."""
    found: Document = {}
    conflict = {409} if _can_conflict(operation) else set()
    for status in sorted({*_ALWAYS, *operation.problems, *conflict}):
        found[str(status)] = problem_response(status, operation.headers)
    return found


def problem_response(status: int, headers: Iterable[str] = ()) -> Document:
    """The response with a problem of this status; `headers` are those that 304 has in common."""
    if status in _RESPONSES:
        return {"$ref": f"#/components/responses/{_RESPONSES[status]}"}
    known = {"headers": _headers(headers if status == 304 else ())}
    if status == 304:
        words = "Not modified: If-None-Match has the current entity tag."
        return {"description": words} | known
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    words = responses.get(status, "Error")
    return {"description": words, "content": {PROBLEM_CONTENT_TYPE: schema}} | known


def _headers(names: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *names)}


def _success(operation: Operation) -> str:
    return {201: "Created.", 204: "Done; there is nothing to return."}.get(operation.status, "OK.")


def _can_conflict(operation: Operation) -> bool:
    """Whether a constraint of the table allows a 409, if the operation depends on one."""
    resource = operation.resource
    if resource is None or operation.conflicts is None:
        return False
    return resource.is_referred_to if operation.conflicts == "references" else resource.is_unique


class _Untitled(GenerateJsonSchema):
    """Schemas without the titles that pydantic derives from names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas_of(operations: list[Operation]) -> tuple[Schema, Callable[..., Schema]]:
    """The schemas by name, and the reference to each model's schema in each mode."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for operation in operations:
        if operation.body is not None:
            wanted[operation.body, "validation"] = None
        if operation.answer is not None:
            wanted[operation.answer, "serialization"] = None
    found, definitions = models_json_schema(
        list(wanted), ref_template="#/components/schemas/{model}", schema_generator=_Untitled
    )
    schemas: Schema = definitions.get("$defs", {})
    for schema in schemas.values():
        schema.pop("title", None)
    for operation in operations:
        if operation.body is not None and operation.resource is not None:
            refine(schemas.get(operation.body.__name__, {}), operation.resource)
    return schemas, lambda model, mode: found[model, mode]


def refine(schema: Schema, resource: Resource[Any, Any]) -> None:
    """Add what the types do not contain: an example, and which fields are unique."""
    for name, one in schema.get("properties", {}).items():
        if name in resource.unique_columns and "Unique." not in one.get("description", ""):
            one["description"] = f"{one.get('description', '')} Unique.".strip()
        if "pattern" in one:
            one.setdefault("examples", [name.replace("_", " ")])
        if name not in schema.get("required", ()) and one.get("default", 0) is None:
            del one["default"]  # a missing field stays missing, it does not become null
