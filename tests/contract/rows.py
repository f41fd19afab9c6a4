"""Rows of any declaration over HTTP: made for tests, with the rows that they refer to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from scaffold.resources.model import Field, Resource
from tests.contract.declared import (
    OWN_FIELDS,
    body,
    capacity,
    columns,
    path_of,
    same,
    sample,
    variety,
)
from tests.contract.items import JSON, STRONG_TAG, UUID, utc_moment

FEW = 2_000

_numbers = itertools.count(1)


class Rows:
    """The rows of a running service, by its declaration."""

    def __init__(self, client: httpx.Client, resources: tuple[Resource, ...]) -> None:
        self.client = client
        self.resources = resources
        self._parents: dict[str, str] = {}
        self._given: dict[tuple[str, str], list[Any]] = {}

    def named(self, name: str | None) -> Resource:
        return next(resource for resource in self.resources if resource.name == name)

    def capacity(self, resource: Resource, wanted: int) -> int:
        """How many rows can be had, at most as many as are wanted."""
        return min(capacity(resource, self.resources), wanted)

    def content(self, resource: Resource, **changes: Any) -> dict[str, Any]:
        """Valid content with a value for all but optional references; unique where it has to be.

        What it has to refer to is created. The values are such as they are shown.
        """
        number = next(_numbers)
        content = {
            field.column: self._value(resource, field, number)
            for field in resource.fields
            if field.column not in changes and not (field.target and field.optional)
        }
        return {name: (content | changes)[name] for name in [*content, *changes]}

    def _value(self, resource: Resource, field: Field, number: int) -> Any:
        if field.target:
            return self.parent(field)
        if not field.unique or variety(field) > FEW:
            return sample(field, number)
        return self._unused(resource, field)

    def _unused(self, resource: Resource, field: Field) -> Any:
        """One of few values, which no row has and, if possible, no content that is sent later."""
        used = {row[field.column] for row in self.walk(resource)}
        free = [value for n in range(variety(field)) if (value := sample(field, n)) not in used]
        given = self._given.setdefault((resource.name, field.column), [])
        value = next((value for value in free if value not in given), free[0])
        given.append(value)
        return value

    def parent(self, field: Field) -> str:
        """The ID of a row that the field can refer to, beside those that refer already."""
        target = self.named(field.target)
        if field.unique or target.name not in self._parents:
            created = str(self.create(target).json()["id"])
            if field.unique:
                return created
            self._parents[target.name] = created
        return self._parents[target.name]

    def least(self, resource: Resource, content: dict[str, Any]) -> dict[str, Any]:
        """What of the content is required."""
        return {f.column: content[f.column] for f in resource.fields if f.required}

    def send(
        self, method: str, path: str, content: dict[str, Any], **headers: str
    ) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, content=body(content), headers=JSON | given)

    def post(self, resource: Resource, content: dict[str, Any]) -> httpx.Response:
        return self.send("POST", path_of(resource), content)

    def create(self, resource: Resource, **changes: Any) -> httpx.Response:
        """Create a row that has to be created."""
        answer = self.post(resource, self.content(resource, **changes))
        assert answer.status_code == 201, answer.text
        return answer

    def walk(self, resource: Resource, query: str = "limit=100") -> list[dict[str, Any]]:
        """The rows of a query, page by page along `Link`."""
        found: list[dict[str, Any]] = []
        url = f"{path_of(resource)}?{query}"
        while True:
            page = self.client.get(url)
            assert page.status_code == 200, page.text
            assert set(page.json()) == {resource.plural, "next_cursor"}
            found += page.json()[resource.plural]
            if "next" not in page.links:
                assert page.json()["next_cursor"] is None
                return found
            url = page.links["next"]["url"]

    def clear(self) -> None:
        """Delete every row, whatever refers to it."""
        self._parents.clear()
        self._given.clear()
        rows = [(one, row) for one in self.resources for row in self.walk(one)]
        for resource, row in rows:
            loose = [f.column for f in resource.fields if f.target and f.optional]
            if any(row[name] is not None for name in loose):
                path = f"{path_of(resource)}/{row['id']}"
                answer = self.send("PATCH", path, dict.fromkeys(loose))
                assert answer.status_code in {200, 404}, answer.text
        while rows:
            kept = [one for one in rows if not self._deleted(*one)]
            assert len(kept) < len(rows), f"cannot be deleted: {kept[:3]}"
            rows = kept

    def _deleted(self, resource: Resource, row: dict[str, Any]) -> bool:
        answer = self.client.delete(f"{path_of(resource)}/{row['id']}")
        assert answer.status_code in {204, 404, 409}, answer.text
        return answer.status_code != 409


def assert_shown(row: dict[str, Any], resource: Resource, shown: dict[str, Any]) -> None:
    """The row has its own fields, those of the resource and no other, with these values."""
    assert set(row) == {*OWN_FIELDS, *columns(resource)}
    assert UUID.fullmatch(row["id"]), row["id"]
    assert utc_moment(row["created_at"]) <= utc_moment(row["updated_at"])
    wrong = {n: (row[n], value) for n, value in shown.items() if not same(row[n], value)}
    assert not wrong, f"shown and expected: {wrong}"


def assert_answered(answer: httpx.Response, status: int, resource: Resource) -> dict[str, Any]:
    """A row with its tag, of that resource."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text[:500]}"
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert STRONG_TAG.fullmatch(answer.headers["etag"])
    row: dict[str, Any] = answer.json()
    assert_shown(row, resource, {})
    return row


def ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def once(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether no row comes twice."""
    return len(set(ids(rows))) == len(rows)
