"""A resource: its table, request body and response."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, Field, RootModel, TypeAdapter, ValidationError, create_model
from pydantic_core import to_json, to_jsonable_python
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from .content import Content
from .http import (
    Problem,
    check_json,
    idempotency_key,
    invalid,
    read_limit,
    read_model,
    read_query,
)
from .operations import Operation, described
from .tables import Record, unique_constraints

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)
Handler = TypeVar("Handler", bound=Callable[..., Any])

# A field of a response: its name, the index of its column, and the conversion of its value.
_Field = tuple[str, int, Callable[[Any], Any] | None]
_Encoders = Mapping[Any, Callable[[Any], Any] | None]

CURSOR: Final = r"[0-7][0-9a-f]{15}(\.[0-9a-f]{8}(\.[A-Za-z0-9_-]*)?)?"
MERGE_PATCH: Final = "application/merge-patch+json"
_PAGE_SIZE: Final = 50
_MAX_PAGE_SIZE: Final = 100


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: a column and its direction; ties are ordered by creation."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested part of a list: at most `limit` rows after `after`.

    `after` is the position of the last row seen and, with an `order`, its value there. `query`
    holds the parameters as they were sent, without the cursor. `search` is an instance of the
    resource's own model of query parameters, if it has one.
    """

    limit: int = _PAGE_SIZE
    after: tuple[int, Any] | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    order: Order | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    search: Any = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, and the cursor of the next page, if there is one."""

    rows: Sequence[Row]
    cursor: str | None
    request: PageRequest

    def link(self, path: str) -> str | None:
        """The value of the Link header for a list at `path`, if there is a next page."""
        if self.cursor is None:
            return None
        query = {"limit": self.request.limit, **self.request.query, "cursor": self.cursor}
        return f'<{path}?{urlencode(query)}>; rel="next"'


class Resource(Generic[Row, Sent]):
    """Binds a table to the model of its request body.

    The names are derived from the table: `Item` in `items` is served at `/v1/items`. `name` is
    needed if it cannot be derived from the class, as for `x_ray` and `XRay`. `view` is the model of
    responses, with columns and computed fields; by default it has the ID, the fields of the content
    and the timestamps. A page of the list has `page_size` rows, or as many as the client asks for
    by `limit`, up to `max_page_size`. `search` is a model of further query parameters of the list,
    for an override of `Store.selection`.
    """

    def __init__(  # noqa: PLR0913
        self,
        table: type[Row],
        content: type[Sent],
        view: type[BaseModel] | None = None,
        *,
        name: str | None = None,
        search: type[BaseModel] | None = None,
        page_size: int = _PAGE_SIZE,
        max_page_size: int = _MAX_PAGE_SIZE,
    ) -> None:
        self.table, self.content, self.search = table, content, search
        self.name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", table.__name__).lower()
        self.plural: str = table.__tablename__
        self.path = f"/v1/{self.plural}"
        self.id_parameter = f"{self.name}_id"
        self.page_size = min(page_size, max_page_size)
        self.max_page_size = max_page_size
        self.view = view or self._default_view()
        self.patch = self._patch_model()
        self._shown, self._prepared = self._fields(_ENCODERS), self._fields(_PREPARATIONS)
        self._computed = [
            (name, _encoder(one.return_type, _ENCODERS))
            for name, one in self.view.model_computed_fields.items()
        ]

    # What clients send.

    def read(
        self,
        content_type: str | None,
        content_encoding: str | None,
        body: bytes,
        key: str | None = None,
    ) -> Sent:
        """Parse a body as the content; a `Problem` with 415, 400 or 422 if it is not valid.

        `key` is the Idempotency-Key that was sent with it; an invalid key is 400.
        """
        if key is not None:
            check_json(content_type, content_encoding, body)
            idempotency_key(key)
        return read_model(self.content, content_type, content_encoding, body)

    def read_patch(
        self, content_type: str | None, content_encoding: str | None, body: bytes
    ) -> dict[str, Any]:
        """Parse a merge patch (RFC 7396): the fields that it sets, each of them valid by itself.

        In a field that is an object, it may set some members, and remove others by null.
        """
        patch = read_model(self.patch, content_type, content_encoding, body, MERGE_PATCH)
        return patch.model_dump(exclude_unset=True)

    def read_query(self, query: str) -> PageRequest:
        """Parse the query string of a list; a `Problem` with 422 if a parameter is not valid."""
        return self.page_request(read_query(query))

    def page_request(self, values: Mapping[str, str]) -> PageRequest:
        """Validate the parameters of a list; a `Problem` with 422 if one of them is not valid."""
        values = dict(values)
        for name in values:
            if name not in self.parameters:
                raise invalid(name[:100], "There is no such parameter.")
        limit = read_limit(values.pop("limit", str(self.page_size)), self.max_page_size)
        cursor = values.pop("cursor", None)
        filters = {
            name: self._filter(name, values[name]) for name in self.table.filters if name in values
        }
        order = self._order(values["sort"]) if "sort" in values else None
        search = self._search(values)
        request = PageRequest(limit, None, filters, order, values, search)
        return request if cursor is None else replace(request, after=self._after(cursor, request))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The query parameters that the list accepts."""
        sort = ("sort",) if self.table.sorts else ()
        own = self.search.model_fields if self.search else ()
        return ("limit", "cursor", *self.table.filters, *sort, *own)

    @property
    def has_own_pages(self) -> bool:
        """Whether its pages have other sizes than those of most resources."""
        return (self.page_size, self.max_page_size) != (_PAGE_SIZE, _MAX_PAGE_SIZE)

    @property
    def limit_schema(self) -> dict[str, Any]:
        """The JSON Schema of `limit`."""
        bounds = {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return {"type": "integer", **bounds}

    @property
    def sort_values(self) -> list[str]:
        """The values that `sort` may have."""
        return [prefix + name for name in self.table.sorts for prefix in ("", "-")]

    def filter_schema(self, name: str) -> dict[str, Any]:
        """The JSON Schema of a filter's value."""
        schema = self._adapters[name][0].json_schema()
        # In a query, a value that may be text or a number is text.
        options: list[dict[str, Any]] = schema.get("anyOf", [])
        return next((one for one in options if one.get("type") == "string"), schema)

    # Enforced by the database.

    @cached_property
    def unique_columns(self) -> frozenset[str]:
        """The columns of the content that are unique by themselves."""
        columns = self.table.__table__.c
        names = self.content.model_fields.keys() & columns.keys()
        return frozenset(name for name in names if columns[name].unique)

    @property
    def is_unique(self) -> bool:
        """Whether rows with the same content, or with a part of it, are rejected."""
        table = self.table.__table__
        if any(isinstance(one, ExcludeConstraint) for one in table.constraints):  # type: ignore[attr-defined]
            return True
        unique = unique_constraints(table)
        return any(not self.content.model_fields.keys().isdisjoint(names) for names, _ in unique)

    @property
    def is_referred_to(self) -> bool:
        """Whether any table refers to this one."""
        table = self.table.__table__
        tables = self.table.metadata.tables.values()
        return any(key.column.table is table for other in tables for key in other.foreign_keys)

    # What clients get.

    def path_of(self, row: Row) -> str:
        """The path of the row."""
        return f"{self.path}/{row.id}"

    def show(self, row: Row) -> dict[str, Any]:
        """The row as JSON values."""
        return self._converted(row, self._shown)

    def _compute(self, values: Sequence[Any]) -> dict[str, Any]:
        """The computed fields of the view for these values of the row."""
        seen = self.view.model_construct(**{name: values[at] for name, at, _ in self._shown})
        found = ((name, getattr(seen, name), encode) for name, encode in self._computed)
        return {name: encode(value) if encode else value for name, value, encode in found}

    def show_page(self, page: Page[Row]) -> dict[str, Any]:
        """The page as JSON values."""
        return {self.plural: [self.show(row) for row in page.rows], "next_cursor": page.cursor}

    def encode(self, row: Row) -> bytes:
        """The row as JSON: what `show` returns, encoded."""
        return to_json(self._encodable(row))

    def encode_page(self, page: Page[Row]) -> bytes:
        """The page as JSON: what `show_page` returns, encoded."""
        if type(self).show_page is not Resource.show_page:
            return to_json(self.show_page(page))
        rows = [self._encodable(row) for row in page.rows]
        return to_json({self.plural: rows, "next_cursor": page.cursor})

    def _encodable(self, row: Row) -> dict[str, Any]:
        """The row as values that pydantic encodes, which is faster than converting them first."""
        if type(self).show is not Resource.show:
            return self.show(row)
        return self._converted(row, self._prepared)

    def _converted(self, row: Row, fields: Sequence[_Field]) -> dict[str, Any]:
        values: tuple[Any, ...] = tuple(cast(Any, row))  # access by name takes twice the time
        shown = {
            name: convert(values[index]) if convert else values[index]
            for name, index, convert in fields
        }
        return shown | self._compute(values) if self._computed else shown

    def page(self, rows: Sequence[Row], request: PageRequest) -> Page[Row]:
        """The page of these rows, one more than its limit if there is a next one."""
        if len(rows) <= request.limit:
            return Page(rows, None, request)
        rows = rows[: request.limit]
        return Page(rows, self._cursor(rows[-1], request), request)

    # Descriptions of its handlers for the OpenAPI document.

    def lists(self, handler: Handler) -> Handler:
        """Describe the handler as the one that lists rows."""
        operation = Operation(
            f"list{_camel(self.plural)}",
            f"List {_words(self.plural)}",
            "Newest last. Follow Link, or send next_cursor as cursor, until there is no next page: "
            "everything that was there at the start comes exactly once.",
            parameters=self.parameters,
            answer=self.page_view,
            headers=("Link",),
            problems=(422,),
        )
        return described(handler, self, operation)

    def creates(self, handler: Handler) -> Handler:
        """Describe the handler as the one that creates a row."""
        operation = Operation(
            f"create{self.table.__name__}",
            f"Create {_article(self.name)}",
            "Send it again with the same Idempotency-Key if no response arrived: it is carried out "
            "once, and the response is the first one.",
            parameters=("Idempotency-Key",),
            body=self.content,
            status=201,
            answer=self.view,
            headers=("ETag", "Location"),
            problems=(409, 413, 415, 422),
        )
        return described(handler, self, operation)

    def reads(self, handler: Handler) -> Handler:
        """Describe the handler as the one that returns a row."""
        operation = Operation(
            f"get{self.table.__name__}",
            f"Get {_article(self.name)}",
            "Send the ETag you have as If-None-Match to learn only whether it has changed.",
            parameters=("If-None-Match",),
            answer=self.view,
            headers=("ETag",),
            problems=(304, 404),
        )
        return described(handler, self, operation)

    def replaces(self, handler: Handler) -> Handler:
        """Describe the handler as the one that replaces a row."""
        operation = Operation(
            f"replace{self.table.__name__}",
            f"Replace {_article(self.name)}",
            "A field that is left out gets its default. Send the ETag you read as If-Match, and no "
            "other client's write is lost.",
            parameters=("If-Match",),
            body=self.content,
            answer=self.view,
            headers=("ETag",),
            problems=(404, 412, 413, 415, 422),
            conflicts="content",
        )
        return described(handler, self, operation)

    def patches(self, handler: Handler) -> Handler:
        """Describe the handler as the one that changes some fields of a row."""
        operation = Operation(
            f"patch{self.table.__name__}",
            f"Change {_article(self.name)}",
            "A JSON merge patch (RFC 7396): a field that is left out stays as it is.",
            parameters=("If-Match",),
            body=self.patch,
            body_types=(MERGE_PATCH, "application/json"),
            answer=self.view,
            headers=("ETag",),
            problems=(404, 412, 413, 415, 422),
            conflicts="content",
        )
        return described(handler, self, operation)

    def deletes(self, handler: Handler) -> Handler:
        """Describe the handler as the one that deletes a row."""
        operation = Operation(
            f"delete{self.table.__name__}",
            f"Delete {_article(self.name)}",
            "Send the ETag you read as If-Match to delete only what you have seen.",
            parameters=("If-Match",),
            status=204,
            problems=(404, 412),
            conflicts="references",
        )
        return described(handler, self, operation)

    # Implementation.

    @cached_property
    def page_view(self) -> type[BaseModel]:
        """The model of a page."""
        most = Field(max_length=self.max_page_size)
        rows: Any = (list[self.view], most)  # type: ignore[name-defined]
        cursor: Any = (
            Annotated[str, Field(pattern=f"^{CURSOR}$")] | None,
            Field(description="The cursor of the next page; null on the last."),
        )
        fields = {self.plural: rows, "next_cursor": cursor}
        return create_model(f"{self.table.__name__}Page", **fields)

    def _fields(self, encoders: _Encoders) -> list[_Field]:
        columns = list(self.table.__table__.columns.keys())
        return [
            (name, columns.index(name), _encoder(one.annotation, encoders))
            for name, one in self.view.model_fields.items()
        ]

    def _default_view(self) -> type[BaseModel]:
        fields: dict[str, Any] = {"id": (UUID, ...)}
        for name, one in self.content.model_fields.items():
            fields[name] = (
                _type_of(one),
                Field(description=one.description, examples=one.examples),
            )
        fields |= {"created_at": (datetime, ...), "updated_at": (datetime, ...)}
        return create_model(self.table.__name__, __doc__=self.table.__doc__, **fields)

    def _patch_model(self) -> type[Content]:
        fields: dict[str, Any] = {
            name: (
                _patch_of(_type_of(one)),
                Field(None, description=one.description, examples=one.examples),
            )
            for name, one in self.content.model_fields.items()
        }
        return create_model(f"{self.table.__name__}Patch", __base__=Content, **fields)

    @cached_property
    def _adapters(self) -> dict[str, tuple[TypeAdapter[Any], bool]]:
        """How a value of a filter or a sort is read, and whether its JSON has quotes."""
        found = {}
        for name in (*self.table.filters, *self.table.sorts):
            adapter = TypeAdapter(_required(self.content.model_fields[name]))
            found[name] = (adapter, "string" in _types(adapter.json_schema()))
        return found

    def _filter(self, name: str, text: str) -> Any:
        adapter, quoted = self._adapters[name]
        try:
            # White space around a number is valid JSON, but not valid in a query.
            plain = not quoted and text == text.strip()
            return adapter.validate_json(text if plain else json.dumps(text), strict=True)
        except ValidationError as error:
            raise invalid(name, error.errors()[0]["msg"]) from None

    def _search(self, values: Mapping[str, str]) -> BaseModel | None:
        if self.search is None:
            return None
        own = {name: values[name] for name in self.search.model_fields if name in values}
        try:
            return self.search.model_validate_strings(own)
        except ValidationError as error:
            found = [("/".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
            raise Problem(422, "The request is not valid.", errors=found) from None

    def _order(self, text: str) -> Order:
        if text not in self.sort_values:
            raise invalid("sort", f"It must be one of {', '.join(self.sort_values)}.")
        return Order(text.removeprefix("-"), text.startswith("-"))

    def _cursor(self, row: Row, request: PageRequest) -> str:
        cursor = f"{row.position:016x}"
        if request.query:
            cursor += f".{_digest(request)}"
        if request.order:
            value = getattr(row, request.order.column)
            annotation = self.view.model_fields[request.order.column].annotation
            encode = _encoder(annotation, _ENCODERS)
            text = json.dumps(encode(value) if encode else value)
            cursor += "." + urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return cursor

    def _after(self, cursor: str, request: PageRequest) -> tuple[int, Any]:
        wrong = invalid("cursor", "It must be the next_cursor of an earlier page of the same list.")
        if not re.fullmatch(CURSOR, cursor):
            raise wrong
        position, *rest = cursor.split(".")
        wanted = [_digest(request)] if request.query else []
        if rest[:1] != wanted or (len(rest) == 2) != (request.order is not None):
            raise wrong
        if request.order is None:
            return int(position, 16), None
        return int(position, 16), self._sort_value(request.order, rest[1], wrong)

    def _sort_value(self, order: Order, encoded: str, wrong: Problem) -> Any:
        try:
            text = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            if text == b"null" and self.table.__table__.c[order.column].nullable:
                return None
            return self._adapters[order.column][0].validate_json(text, strict=True)
        except ValueError:
            raise wrong from None


def _digest(request: PageRequest) -> str:
    """Binds a cursor to its filters and order."""
    return sha256(urlencode(sorted(request.query.items())).encode()).hexdigest()[:8]


def _type_of(one: Any) -> Any:
    """The type of a field with its constraints, without its default."""
    return Annotated[one.annotation, *one.metadata] if one.metadata else one.annotation


def _patch_of(kind: Any, *outer: type) -> Any:
    """The type of a field in a merge patch: in an object, every member may be missing or null."""
    options = _options(kind)
    if len(options) > 1:
        return Union[tuple(_patch_of(option, *outer) for option in options)]  # noqa: UP007
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    if not is_model or issubclass(kind, RootModel) or kind in outer:
        return kind
    fields: dict[str, Any] = {
        name: (
            _patch_of(_type_of(one), *outer, kind) | None,
            Field(None, alias=one.alias, description=one.description),
        )
        for name, one in kind.model_fields.items()
    }
    return create_model(f"{kind.__name__}Patch", __config__=kind.model_config, **fields)


def _required(one: Any) -> Any:
    """The type of a field without null."""
    kinds = [kind for kind in _options(one.annotation) if kind is not NoneType]
    found: Any = Union[tuple(kinds)]  # noqa: UP007
    return Annotated[found, *one.metadata] if one.metadata else found


def _options(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def _types(schema: Mapping[str, Any]) -> set[Any]:
    """The JSON types of a schema; of an enum, those of its values."""
    options = schema.get("anyOf", [schema])
    return {option.get("type", "string") for option in options}


def _encoder(annotation: Any, encoders: _Encoders) -> Callable[[Any], Any] | None:
    """The conversion of a value of this type to JSON; None if it needs none."""
    options = _options(annotation)
    kinds = {_plain(kind) for kind in options} - {NoneType}
    if kinds <= _JSON_TYPES:
        return None
    kind = kinds.pop() if len(kinds) == 1 else None
    encode = encoders.get(kind, to_jsonable_python)
    if encode is None:
        return None
    return (
        (lambda value: None if value is None else encode(value)) if NoneType in options else encode
    )


def _plain(kind: Any) -> Any:
    """A type without annotations; `str` for a choice of texts."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal and all(isinstance(value, str) for value in get_args(kind)):
        return str
    return kind


def rfc3339(moment: datetime) -> str:
    """A timestamp in UTC, with microseconds."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _instant(moment: datetime) -> datetime | str:
    """The same for `to_json`, which leaves out microseconds that are 0."""
    return moment if moment.microsecond else rfc3339(moment)


_JSON_TYPES: Final = frozenset({str, int, bool})
_ENCODERS: Final[dict[Any, Callable[[Any], Any]]] = {
    UUID: str,
    float: float,  # SQLite returns 7.0 as 7 from the statement that writes it
    date: date.isoformat,
    datetime: rfc3339,
    Decimal: "{:f}".format,
}
# What `to_json` encodes in the same way needs no conversion.
_PREPARATIONS: Final[dict[Any, Callable[[Any], Any] | None]] = {
    **_ENCODERS,
    UUID: None,
    date: None,
    datetime: _instant,
}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {_words(name)}"
