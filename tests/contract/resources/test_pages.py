"""R2, R7: lists of a resource, its filters and its orders, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from scaffold.resources.model import Field, Resource
from tests.contract.declared import (
    UNKNOWN_ID,
    in_query,
    path_of,
    sample,
    sort_key,
    variety,
    wrong_in_query,
)
from tests.contract.items import assert_invalid
from tests.contract.rows import Rows, ids, once
from tests.services import Background, Service

pytestmark = pytest.mark.contract("R2", "R7")

# The numbers of samples: none of them in order, some more than once.
PLACES = (5, 3, 9, 3, 1, 3, 7)


def filters(resource: Resource) -> list[Field]:
    return [field for field in resource.fields if field.filter]


def sorts(resource: Resource) -> list[Field]:
    return [field for field in resource.fields if field.sort]


def many(rows: Rows, resource: Resource, count: int = len(PLACES)) -> list[dict[str, Any]]:
    """Rows whose values are mixed, with some that are null."""
    made = []
    count = rows.capacity(resource, count)
    for number in range(count):
        place = PLACES[number % len(PLACES)]
        varied = {
            field.column: None if field.optional and place == 9 else sample(field, place)
            for field in (*filters(resource), *sorts(resource))
            if not field.target and not field.unique
        }
        made.append(rows.create(resource, **varied).json())
    return made


def with_query(resource: Resource, **parameters: str) -> str:
    return f"{path_of(resource)}?{urlencode(parameters)}"


def test_the_newest_comes_last_and_each_once(rows: Rows, resource: Resource) -> None:
    made = ids(many(rows, resource))
    for limit in (1, 2, 3, 100):
        seen = ids(rows.walk(resource, f"limit={limit}"))
        assert seen[-len(made) :] == made
        if len(seen) < 50:
            assert len(set(seen)) == len(seen)
        else:  # those of the example are many
            break


def test_pages_are_linked_by_relative_addresses(rows: Rows, resource: Resource) -> None:
    if len(many(rows, resource, 3)) < 3:
        pytest.skip("there can be no three rows")
    page = rows.client.get(with_query(resource, limit="2"))
    target = page.links["next"]["url"]
    assert target.startswith(f"{path_of(resource)}?")
    asked = parse_qs(urlsplit(target).query)
    assert asked == {"limit": ["2"], "cursor": [page.json()["next_cursor"]]}


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=a", "cursor=a", "surprise=1"])
def test_a_bad_or_unknown_parameter_is_refused_by_name(
    rows: Rows, resource: Resource, query: str
) -> None:
    name = query.partition("=")[0]
    assert_invalid(rows.client.get(f"{path_of(resource)}?{query}"), name)
    repeated = rows.client.get(f"{path_of(resource)}?limit=1&limit=1")
    assert_invalid(repeated, "limit")


def test_only_what_is_declared_is_a_filter_or_an_order(rows: Rows, resource: Resource) -> None:
    """A filter that is ignored would return everything."""
    for field in resource.fields:
        if not field.filter:
            value = in_query(sample(field, 1))[:100] if not field.target else "x"
            answer = rows.client.get(with_query(resource, **{field.column: value}))
            assert_invalid(answer, field.column)
        if not field.sort:
            for sort in (field.column, f"-{field.column}"):
                assert_invalid(rows.client.get(with_query(resource, sort=sort)), "sort")
    for sort in ("", "-", "id", "position", "+created_at", "created_at"):
        assert_invalid(rows.client.get(with_query(resource, sort=sort)), "sort")


def test_a_filter_narrows_the_list_and_pages_keep_it(rows: Rows, resource: Resource) -> None:
    made = many(rows, resource)
    for field in filters(resource):
        name = field.column
        for value in {in_query(row[name]) for row in made if row[name] is not None}:
            expected = [row for row in made if in_query(row[name]) == value]
            for limit in ("1", "2", "100"):
                query = urlencode({name: value, "limit": limit})
                assert rows.walk(resource, query) == expected, query
        assert_invalid(rows.client.get(f"{path_of(resource)}?{name}=x&{name}=x"), name)
        if field.type in ("decimal", "datetime", "uuid"):
            row = next((row for row in made if row[name] is not None), None)
            for spelling in other_spellings(field, row[name] if row else ""):
                answer = rows.client.get(with_query(resource, **{name: spelling}))
                assert answer.status_code == 200, answer.text
                assert row in answer.json()[resource.plural], spelling


def other_spellings(field: Field, shown: str) -> Iterator[str]:
    """Texts that mean the same value."""
    if not shown:
        return
    match field.type:
        case "uuid":
            yield shown.upper()
        case "datetime":
            yield shown.replace("Z", "+00:00")
        case "decimal" if "." in shown:
            yield shown.rstrip("0").rstrip(".")


def test_several_filters_hold_together(rows: Rows, resource: Resource) -> None:
    made = many(rows, resource)
    names = [field.column for field in filters(resource)]
    if len(names) < 2 or not made:
        pytest.skip("it has no two filters")
    for row in made:
        wanted = {name: row[name] for name in names if row[name] is not None}
        expected = [one for one in made if all(one[n] == value for n, value in wanted.items())]
        query = {name: in_query(value) for name, value in wanted.items()} | {"limit": "1"}
        assert rows.walk(resource, urlencode(query)) == expected


def test_a_filter_refuses_what_its_field_cannot_be(rows: Rows, resource: Resource) -> None:
    for field in filters(resource):
        for text in wrong_in_query(field):
            query = f"{field.column}={quote(text, safe='')}"
            answer = rows.client.get(f"{path_of(resource)}?{query}")
            assert_invalid(answer, field.column)


def test_a_list_is_sorted_with_ties_by_creation(rows: Rows, resource: Resource) -> None:
    made = many(rows, resource)
    place = {row["id"]: number for number, row in enumerate(made)}
    for field in sorts(resource):
        name, key = field.column, sort_key(field)
        known = [row for row in made if row[name] is not None]
        unknown = [row for row in made if row[name] is None]
        if field.type == "enum":  # a choice is sorted by any order, but by one
            assert_grouped(rows, resource, name, made)
            continue
        ascending = sorted(known, key=lambda row: (key(row[name]), place[row["id"]]))
        for limit in (1, 2, 3, 100):
            found = rows.walk(resource, urlencode({"sort": name, "limit": limit}))
            assert found == [*ascending, *unknown], f"{name} by {limit}"
            backwards = rows.walk(resource, urlencode({"sort": f"-{name}", "limit": limit}))
            assert backwards == [*reversed(ascending), *reversed(unknown)], f"-{name} by {limit}"


def assert_grouped(rows: Rows, resource: Resource, name: str, made: list[dict[str, Any]]) -> None:
    forwards = rows.walk(resource, urlencode({"sort": name, "limit": 2}))
    backwards = rows.walk(resource, urlencode({"sort": f"-{name}", "limit": 2}))
    values = [value for value, _ in groupby(row[name] for row in forwards)]
    assert len(values) == len(set(values))
    assert [value for value, _ in groupby(row[name] for row in backwards)][::-1] in (
        values,
        [None, *values[:-1]],
    )
    assert {row["id"] for row in forwards} == {row["id"] for row in made}
    assert once(forwards)
    assert once(backwards)


def test_a_cursor_of_another_filter_or_order_is_refused(rows: Rows, resource: Resource) -> None:
    made = many(rows, resource)
    queries = [{}, *({"sort": f"{sign}{f.column}"} for f in sorts(resource) for sign in ("", "-"))]
    for field in filters(resource):
        values = {in_query(row[field.column]) for row in made if row[field.column] is not None}
        queries += [{field.column: value} for value in sorted(values)[:2]]
    if made and filters(resource) and sorts(resource):
        name = filters(resource)[0].column
        if made[0][name] is not None:
            both = {name: in_query(made[0][name]), "sort": sorts(resource)[0].column}
            queries.append(both)
    cursors = {}
    for number, query in enumerate(queries):
        page = rows.client.get(with_query(resource, **query, limit="1"))
        if (cursor := page.json()["next_cursor"]) is not None:
            cursors[number] = cursor
            linked = parse_qs(urlsplit(page.links["next"]["url"]).query)
            wanted = {**query, "limit": "1", "cursor": cursor}
            assert linked == {name: [value] for name, value in wanted.items()}
    for number, cursor in cursors.items():
        for other, query in enumerate(queries):
            answer = rows.client.get(with_query(resource, **query, cursor=cursor))
            if other == number:
                assert answer.status_code == 200
            else:
                assert_invalid(answer, "cursor")


def test_no_cursor_makes_a_5xx(rows: Rows, resource: Resource) -> None:
    many(rows, resource)
    for query in ({}, *({"sort": field.column} for field in sorts(resource))):
        page = rows.client.get(with_query(resource, **query, limit="1"))
        cursor = page.json()["next_cursor"] or "0" * 16
        for wrong in (cursor[:-1], f"{cursor}0", cursor.swapcase(), cursor[::-1], cursor[:20]):
            answer = rows.client.get(with_query(resource, **query, cursor=wrong))
            assert answer.status_code in {200, 422}, answer.text


@pytest.mark.any_framework("flask", "fastapi")
def test_each_walk_sees_every_row_once_while_others_are_added(
    rows: Rows, resource: Resource, declared_service: Service
) -> None:
    """A walk of each filter and order; what is added meanwhile may be seen, but not twice."""
    if rows.capacity(resource, 500) < 500:
        pytest.skip("there can be too few rows")
    made = many(rows, resource, 30)
    queries: list[tuple[dict[str, str], list[dict[str, Any]]]] = [({}, made)]
    queries += [({"sort": f"{s}{f.column}"}, made) for f in sorts(resource) for s in ("", "-")]
    for field in filters(resource):
        known = [row[field.column] for row in made if row[field.column] is not None]
        value = known[0] if known else UNKNOWN_ID
        expected = [row for row in made if row[field.column] == value]
        queries.append(({field.column: in_query(value)}, expected))
    with declared_service.new_client() as client:
        others = Rows(client, rows.resources)
        added: list[str] = []

        def add() -> None:
            added.extend(ids(many(others, resource, len(PLACES))))

        with Background(add):
            for query, expected in queries:
                seen = ids(rows.walk(resource, urlencode({**query, "limit": "7"})))
                assert len(seen) == len(set(seen)), f"a row came twice: {query}"
                assert set(ids(expected)) <= set(seen), f"a row is missing: {query}"
    assert added, "nothing was added meanwhile: the test proves nothing"


def test_a_walk_goes_on_after_the_row_at_its_cursor_is_deleted(
    rows: Rows, resource: Resource
) -> None:
    made = many(rows, resource)
    if len(made) < 3 or len(rows.walk(resource)) > len(made):
        pytest.skip("there can be no three rows, or there are others")
    queries = [{}, *({"sort": f"{s}{f.column}"} for f in sorts(resource) for s in ("", "-"))]
    whole = {str(query): rows.walk(resource, urlencode(query)) for query in queries}
    pages = [
        rows.client.get(with_query(resource, **query, limit=str(len(made) - 1)))
        for query in queries
    ]
    for query, page in zip(queries, pages, strict=True):
        last = page.json()[resource.plural][-1]
        rows.client.delete(f"{path_of(resource)}/{last['id']}")
        following = rows.client.get(page.links["next"]["url"]).json()[resource.plural]
        left = whole[str(query)][-1]
        exists = rows.client.get(f"{path_of(resource)}/{left['id']}").status_code == 200
        assert ids(following) == ([left["id"]] if exists else [])


def test_a_list_of_nothing_is_empty(rows: Rows, resource: Resource) -> None:
    for field in filters(resource):
        if field.target or variety(field) > 1000:
            nobody = UNKNOWN_ID if field.target else in_query(sample(field, 999))
            page = rows.client.get(with_query(resource, **{field.column: nobody}))
            assert page.json() == {resource.plural: [], "next_cursor": None}
            assert "link" not in page.headers
