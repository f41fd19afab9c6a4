"""The descriptions of the service's views for drf-spectacular."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

import structlog
from django.db import models
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from pydantic.json_schema import JsonSchemaMode

from .constraints import is_referred_to, unique_columns
from .pagination import CursorPages, list_name
from .parsers import MERGE_PATCH
from .serializers import ResourceSerializer
from .views import ResourceViewSet

Schema = dict[str, Any]

_ALWAYS: Final = (400, 405, 431, 500, 503)
_WITH_BODY: Final = (413, 415, 422)
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
_Generator: Any = SchemaGenerator  # its methods have no types
_Inspector: Any = AutoSchema
_log = structlog.get_logger()
_SUCCESS: Final = {"201": "Created.", "204": "Done; there is nothing to return."}
_CURSOR: Final = (
    "Where to continue: next_cursor of the page before, with the same filters and order."
)
_IF_MATCH, _IF_NONE_MATCH = "If-Match", "If-None-Match"


@dataclass(frozen=True, slots=True)
class _Action:
    """The description of an action that all resources share."""

    id: str
    summary: str
    description: str = ""
    condition: str = ""
    headers: tuple[str, ...] = ()
    problems: tuple[int, ...] = ()


_ACTIONS: Final = {
    "list": _Action(
        "list{Plural}",
        "List {plural}",
        "Newest last. Follow Link, or send next_cursor as cursor, until there is no next page: "
        "everything that was there at the start comes exactly once.",
        headers=("Link",),
        problems=(422,),
    ),
    "create": _Action(
        "create{Name}",
        "Create {a_name}",
        "Send it again with the same Idempotency-Key if no response arrived: it is carried out "
        "once, and the response is the first one.",
        condition="Idempotency-Key",
        headers=("ETag", "Location"),
        problems=(409,),
    ),
    "retrieve": _Action(
        "get{Name}",
        "Get {a_name}",
        "Send the ETag you have as If-None-Match to learn only whether it has changed.",
        condition=_IF_NONE_MATCH,
        headers=("ETag",),
        problems=(304, 404),
    ),
    "update": _Action(
        "replace{Name}",
        "Replace {a_name}",
        "A field that is left out gets its default. Send the ETag you read as If-Match, and no "
        "other client's write is lost.",
        condition=_IF_MATCH,
        headers=("ETag",),
        problems=(404, 409, 412),
    ),
    "partial_update": _Action(
        "patch{Name}",
        "Change {a_name}",
        "A JSON merge patch (RFC 7396): a field that is left out stays as it is.",
        condition=_IF_MATCH,
        headers=("ETag",),
        problems=(404, 409, 412),
    ),
    "destroy": _Action(
        "delete{Name}",
        "Delete {a_name}",
        "Send the ETag you read as If-Match to delete only what you have seen.",
        condition=_IF_MATCH,
        problems=(404, 409, 412),
    ),
}


@cache
def generate() -> Schema:
    """Describe all views; drf-spectacular's warnings are logged."""
    with GENERATOR_STATS.silence():
        found: Schema = _Generator().get_schema(public=True)
    for message in (*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache):
        _log.warning("document_incomplete", why=message)
    return found


class ResourceSchema(_Inspector):  # type: ignore[misc]
    """Describes the views of resources, and all others as far as possible.

    `extend_schema` adds to the description, as usual with drf-spectacular.
    """

    view: Any
    tags: ClassVar[dict[str, str]] = {}  # the description of each resource

    def get_tags(self) -> list[str]:
        found = list(super().get_tags())
        if self._action:
            self.tags[found[0]] = " ".join((self.view.queryset.model.__doc__ or "").split())
        return found

    def get_operation(self, *args: Any) -> Schema | None:
        operation: Schema | None = super().get_operation(*args)
        if operation is None:
            return None
        if self._action and "requestBody" in operation:
            operation["requestBody"]["required"] = True
        parameters = _plain_parameters(operation.get("parameters", ()))
        if self._action and self._action.condition:
            parameters.append({"$ref": f"#/components/parameters/{self._action.condition}"})
        if parameters:
            operation["parameters"] = parameters
        operation["responses"] = self._all_responses(operation)
        return operation

    def get_operation_id(self) -> str:
        if self._action:
            return self._action.id.format(**self._names)
        return str(super().get_operation_id())

    def get_summary(self) -> str | None:
        return self._action.summary.format(**self._names) if self._action else None

    def get_description(self) -> str:
        if self._action:
            return self._action.description
        return str(super().get_description())

    def map_parsers(self) -> list[Any]:
        if not self._action:
            found = list(super().map_parsers())
            return [one for one in found if one != MERGE_PATCH or self.method == "PATCH"]
        json = "application/json"
        return [MERGE_PATCH, json] if self.view.action == "partial_update" else [json]

    def get_filter_backends(self) -> list[Any]:
        return list(super().get_filter_backends()) if self.method == "GET" else []

    def _get_paginator(self) -> Any:
        if self.method != "GET":  # a list in the response to another method is not a page
            return None
        paginator = super()._get_paginator()
        if isinstance(paginator, CursorPages):
            paginator.schema_name = list_name(self.path)
        return paginator

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    def field_schema(self, field: Any, direction: str = "request") -> Schema:
        """The schema of a value of the field in a query."""
        schema = self._map_serializer_field(field, direction) or {}
        # In a query, a value that may be text or a number is text, and null cannot be sent.
        options: list[Schema] = schema.get("anyOf", [schema])
        schema = next((one for one in options if one.get("type") == "string"), options[0])
        apart = ("readOnly", "writeOnly", "default", "description", "title")
        return {name: value for name, value in schema.items() if name not in apart}

    @property
    def _action(self) -> _Action | None:
        if not isinstance(self.view, ResourceViewSet):
            return None
        return _ACTIONS.get(self.view.action or "")

    @property
    def _names(self) -> dict[str, str]:
        """The forms of the resource's name used in descriptions; the plural is in the path."""
        name: str = self.view.queryset.model.__name__
        plural = list_name(re.sub(r"/\{\w+\}$", "", self.path))
        return {
            "Name": name,
            "a_name": _with_article(_words(name)),
            "plural": plural.replace("_", " ").replace("-", " "),
            "Plural": "".join(part.capitalize() for part in re.split("[-_]", plural)),
        }

    def _all_responses(self, operation: Schema) -> Schema:
        action = self._action
        found: Schema = {}
        headers = {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in ("X-Request-ID", *(action.headers if action else ()))
        }
        for status, response in operation["responses"].items():
            words = response.get("description") if not action else ""
            found[status] = response | {
                "description": words or _SUCCESS.get(status, "OK."),
                "headers": headers | response.get("headers", {}),
            }
        problems = {*_ALWAYS, *(action.problems if action else ())}
        problems |= set(_WITH_BODY if "requestBody" in operation else ())
        for status in sorted(problems):
            if status == 304:
                words = "Not modified: If-None-Match has the current entity tag."
                found["304"] = {"description": words, "headers": headers}
            elif status != 409 or self._can_conflict():
                found.setdefault(
                    str(status), {"$ref": f"#/components/responses/{_RESPONSES[status]}"}
                )
        return found | self._refusals()

    def _refusals(self) -> Schema:
        """The responses of access checks, if there are any."""
        statuses = [401] if self.view.get_authenticators() else []
        statuses += [403] if statuses or self.view.get_permissions() else []
        schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
        words = {401: "Who calls is not known.", 403: "Who calls may not do this."}
        return {
            str(status): {
                "description": words[status],
                "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}},
                "content": {"application/problem+json": schema},
            }
            for status in statuses
        }

    def _can_conflict(self) -> bool:
        """Whether a 409 is possible: with a key, something unique, or a reference to the row."""
        model: type[models.Model] = self.view.queryset.model
        if self.view.action == "destroy":
            return is_referred_to(model)
        constraints = model._meta.constraints  # a conditional one is not in `unique_columns`
        unique = any(not isinstance(one, models.CheckConstraint) for one in constraints)
        return self.view.action == "create" or unique or bool(unique_columns(model))

    def _resolve_path_parameters(self, variables: list[str]) -> list[Schema]:
        own = getattr(self.view, "lookup_url_kwarg", None)
        others = [name for name in variables if not self._action or name != own]
        found: list[Schema] = super()._resolve_path_parameters(others)
        if len(others) < len(variables):
            words = "The ID. One of another form does not exist: 404."
            schema = {"type": "string", "format": "uuid"}
            id_ = {"name": own, "in": "path", "required": True, "schema": schema}
            found.append(id_ | {"description": words})
        return found

    def _get_serializer_name(self, serializer: Any, direction: Any, *args: Any) -> str:
        name = str(super()._get_serializer_name(serializer, direction, *args))
        if not isinstance(serializer, ResourceSerializer) or direction != "request":
            return name
        plain = name.removesuffix("Request")
        return f"{plain[7:]}Patch" if plain.startswith("Patched") else f"{plain}Content"

    def _map_serializer_field(self, field: Any, direction: Any, *args: Any) -> Schema | None:
        schema: Schema | None = super()._map_serializer_field(field, direction, *args)
        if schema is None or not hasattr(field, "rule"):
            return schema
        # Its own JSON Schema is more precise than its type.
        mode: JsonSchemaMode = "validation" if direction == "request" else "serialization"
        found: Schema = field.rule.json_schema(mode=mode)
        if "maxLength" in found and getattr(field, "max_length", None):
            found["maxLength"] = min(found["maxLength"], field.max_length)
        if field.allow_null:
            found = {"anyOf": [*found.get("anyOf", [found]), {"type": "null"}]}
        about = {name: schema[name] for name in ("default", "readOnly") if name in schema}
        return found | about | ({"description": field.help_text} if field.help_text else {})

    def _insert_field_validators(self, field: Any, schema: Schema) -> None:
        if not hasattr(field, "rule"):
            super()._insert_field_validators(field, schema)

    def _postprocess_serializer_schema(
        self, schema: Schema, serializer: Any, direction: Any
    ) -> Schema:
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)
        if not isinstance(serializer, ResourceSerializer):
            return schema
        model: Any = serializer.Meta.model
        properties: dict[str, Schema] = schema.get("properties", {})
        keeps_default = direction == "request" and not serializer.partial
        for name, one in properties.items():
            properties[name] = _plain(one, keeps_default=keeps_default)
        if direction != "request":
            return schema | {"required": list(properties), "description": model.__doc__ or ""}
        if serializer.partial:
            schema.pop("description", None)
        else:
            words = f"What a client sends of {_with_article(str(model._meta.verbose_name))}."
            schema["description"] = words
        if "required" in schema:  # already sorted at this point
            schema["required"] = [name for name in properties if name in schema["required"]]
        for name, one in properties.items():
            if (name,) in unique_columns(model):
                one["description"] = f"{one.get('description', '')} Unique.".strip()
            if "pattern" in one:
                one.setdefault("examples", [name.replace("_", " ")])
        return schema | {"additionalProperties": False}


def _words(name: str) -> str:
    """The words of a class's name."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _plain_parameters(parameters: Iterable[Schema]) -> list[Schema]:
    """The parameters in the order of all services; those of every list are references."""
    parameters = list(parameters)
    pages = {one["name"]: one for one in parameters if one.get("schema") == {}}
    sizes = [one for one in parameters if one["name"] == "limit" and "cursor" in pages]
    pages = {one["name"]: one for one in sizes} | pages
    own = [one for one in parameters if one["name"] not in pages]
    found: list[Schema] = []
    for name, parameter in pages.items():
        if parameter["schema"]:
            found.append(parameter)
        elif name == "cursor" and any(one["in"] == "query" for one in own):
            found.append(parameter | {"description": _CURSOR, "schema": {"type": "string"}})
        else:
            found.append({"$ref": f"#/components/parameters/{name}"})
    return found + own


def _plain(schema: Schema, *, keeps_default: bool) -> Schema:
    """A field's schema in the form that all services use."""
    apart = {"readOnly", "writeOnly", "title"} | (set() if keeps_default else {"default"})
    schema = {name: value for name, value in schema.items() if name not in apart}
    if schema.get("default", 0) is None:
        del schema["default"]  # a missing field stays missing, it does not become null
    if isinstance(schema.get("type"), list) and "null" in schema["type"]:
        outside = {name: schema.pop(name) for name in ("default", "description") if name in schema}
        (schema["type"],) = (kind for kind in schema["type"] if kind != "null")
        return {"anyOf": [schema, {"type": "null"}]} | outside
    return schema
