"""What every resource gets: content, pages, references, constraints; on tables of these tests."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic.script import ScriptDirectory
from pydantic import BaseModel, Field
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Select, String, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from stock_keeper.runtime import (
    Duplicate,
    InvalidContent,
    KeyReused,
    NotFound,
    StillReferenced,
    UnknownReference,
    health,
)
from stock_keeper.runtime.content import Content, Line, Lines, Timestamp
from stock_keeper.runtime.database import CONNECTIONS, Database, replaced_revisions
from stock_keeper.runtime.document import Route, build
from stock_keeper.runtime.http import Problem
from stock_keeper.runtime.operations import operation
from stock_keeper.runtime.resource import PageRequest, Resource
from stock_keeper.runtime.statements import Spares
from stock_keeper.runtime.store import Change, Store
from stock_keeper.runtime.tables import Base, Exact, Instant, Record


class Shelf(Record):
    """A shelf."""

    __tablename__ = "test_shelves"

    name: Mapped[str] = mapped_column(String(20), unique=True)
    label: Mapped[str] = mapped_column(String(20), unique=True)


class ShelfContent(Content):
    name: Annotated[str, Line(1, 20)]
    label: Annotated[str, Line(0, 20)]


class Box(Record):
    """A box on a shelf."""

    __tablename__ = "test_boxes"

    filters: ClassVar = ("sealed", "notes")
    sorts: ClassVar = ("packed_at",)
    __table_args__ = (
        CheckConstraint("notes <> 'empty'", "filled", info={"detail": "Fill the box."}),
        CheckConstraint("notes <> 'lost'", "there"),
    )

    shelf_id: Mapped[UUID] = mapped_column(ForeignKey("test_shelves.id"))
    packed_at: Mapped[datetime]
    sealed: Mapped[bool]
    notes: Mapped[str | None]


class BoxContent(Content):
    shelf_id: UUID
    packed_at: Timestamp
    sealed: bool = False
    notes: Annotated[str, Lines(0, 50)] | None = None


class BoxSearch(BaseModel):
    after: int = Field(0, le=23, description="The earliest hour.")
    kind: Literal["small", "large"] | None = None


SHELVES = Resource(Shelf, ShelfContent)
BOXES = Resource(Box, BoxContent)
SEARCHED_BOXES = Resource(Box, BoxContent, search=BoxSearch)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def tables(database: Database) -> Iterator[None]:
    """The tables of these tests, which no migration makes."""
    own = [Base.metadata.tables[name] for name in ("test_shelves", "test_boxes")]
    with database.writing() as connection:
        Base.metadata.create_all(connection, own)
    yield
    with database.writing() as connection:
        Base.metadata.drop_all(connection, own)


@pytest.fixture
def shelves(database: Database, tables: None) -> Store[Shelf, ShelfContent]:
    return Store(SHELVES, database)


@pytest.fixture
def boxes(database: Database, tables: None) -> Store[Box, BoxContent]:
    return Store(BOXES, database)


def fill(
    shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent], hours: list[int]
) -> Shelf:
    """A shelf with a box for each hour; every second one is sealed."""
    shelf = shelves.create(ShelfContent(name="top", label=""))
    for number, hour in enumerate(hours):
        packed_at, sealed = NOON + timedelta(hours=hour), number % 2 == 0
        boxes.create(BoxContent(shelf_id=shelf.id, packed_at=packed_at, sealed=sealed))
    return shelf


def walk(boxes: Store[Box, BoxContent], query: str) -> list[Any]:
    """The hours of the boxes, page by page."""
    found: list[datetime] = []
    page = boxes.page(BOXES.read_query(query))
    while True:
        found += [box.packed_at for box in page.rows]
        if page.cursor is None:
            assert page.link("/v1/boxes") is None
            return [(moment - NOON).total_seconds() / 3600 for moment in found]
        page = boxes.page(BOXES.read_query(f"{query}&cursor={page.cursor}"))


def test_a_walk_keeps_filter_and_order(
    shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    fill(shelves, boxes, [5, 1, 3, 1, 4])
    assert walk(boxes, "limit=2") == [5, 1, 3, 1, 4]
    assert walk(boxes, "limit=2&sort=packed_at") == [1, 1, 3, 4, 5]
    assert walk(boxes, "limit=2&sort=-packed_at") == [5, 4, 3, 1, 1]
    assert walk(boxes, "limit=1&sealed=true&sort=packed_at") == [3, 4, 5]


class OpenBoxes(Store[Box, BoxContent]):
    """Lists the boxes that are not sealed, and no others."""

    def selection(self, request: PageRequest) -> tuple[Select[Any], dict[str, Any]]:
        query, values = super().selection(request)
        return query.where(Box.sealed.is_(False)), values


def test_a_list_that_its_owner_narrows_is_narrow_on_every_page(
    database: Database, shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    fill(shelves, boxes, [5, 1, 3, 2, 4, 6])
    narrow = OpenBoxes(BOXES, database)
    for _ in range(2):  # what one has asked for, the other must not get
        assert walk(narrow, "limit=2") == [1, 2, 6]
        assert walk(boxes, "limit=2") == [5, 1, 3, 2, 4, 6]
        assert walk(narrow, "limit=1&sort=-packed_at") == [6, 2, 1]
        assert walk(narrow, "limit=1&sealed=true") == []


class KeptBoxes(Store[Box, BoxContent]):
    """Has the boxes that are not sealed, and no others."""

    def visible(self) -> ColumnElement[bool]:
        return Box.sealed.is_(False)


def test_a_row_that_its_owner_hides_is_not_found(
    database: Database, shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    shelf = fill(shelves, boxes, [5, 1, 3])
    hidden, shown, _ = boxes.page(PageRequest()).rows
    kept = KeptBoxes(BOXES, database)
    content = BoxContent(shelf_id=shelf.id, packed_at=NOON)
    calls: list[Callable[[], Any]] = [
        lambda: kept.get(hidden.id),
        lambda: kept.replace(hidden.id, content),
        lambda: kept.replace(hidden.id, content, frozenset({hidden.revision})),
        lambda: kept.patch(hidden.id, {"notes": "found"}),
        lambda: kept.update_columns(hidden.id, sealed=False),
        lambda: kept.delete(hidden.id),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert walk(kept, "limit=1") == [1]
    changed = kept.update_columns(shown.id, frozenset({shown.revision}), sealed=True)
    assert changed.revision != shown.revision
    assert walk(kept, "limit=1") == []
    assert boxes.get(hidden.id) == hidden


def test_a_list_has_the_parameters_that_its_owner_gives_it() -> None:
    request = SEARCHED_BOXES.read_query("after=7&limit=2&sealed=true")
    assert request.search == BoxSearch(after=7)
    assert request.query == {"after": "7", "sealed": "true"}
    assert SEARCHED_BOXES.read_query("").search == BoxSearch()
    for query in ("after=24", "after=", "kind=", "kind=huge", "before=7"):
        with pytest.raises(Problem) as caught:
            SEARCHED_BOXES.read_query(query)
        assert caught.value.errors[0]["pointer"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("notes", "detail"), [("empty", "Fill the box."), ("lost", "It violates the constraint there.")]
)
def test_a_violated_check_is_explained(
    notes: str, detail: str, shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    shelf = fill(shelves, boxes, [1])
    with pytest.raises(InvalidContent) as caught:
        boxes.create(BoxContent(shelf_id=shelf.id, packed_at=NOON, notes=notes))
    assert [detail for _, detail in caught.value.errors] == [detail]


class LoggedBoxes(Store[Box, BoxContent]):
    """Creates a shelf with each box, always the same."""

    def changed(self, change: Change, row: Box) -> None:
        times = {"created_at": row.created_at, "updated_at": row.updated_at}
        shelf = {"id": row.id, "revision": row.revision, "name": "top", "label": ""}
        with self.database.writing() as connection:
            connection.execute(insert(Shelf), shelf | times)


def test_a_clash_in_another_table_is_not_explained_as_one_in_this(
    database: Database, shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    shelf = fill(shelves, boxes, [])
    content = BoxContent(shelf_id=shelf.id, packed_at=NOON)
    with pytest.raises(IntegrityError):
        LoggedBoxes(BOXES, database).create(content)
    assert boxes.page(PageRequest()).rows == []


def test_a_read_inside_a_transaction_sees_what_it_has_written(
    database: Database, shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    with database.writing():
        shelf = fill(shelves, boxes, [1])
        assert shelves.get(shelf.id) == shelf
        assert walk(boxes, "limit=2") == [1]


@pytest.mark.parametrize(
    "query",
    ["sealed=1", "sealed=True", "sort=notes", "sort=", "colour=red", "limit=2&cursor=x"],
)
def test_what_a_list_does_not_know_is_rejected(query: str) -> None:
    with pytest.raises(Problem) as caught:
        BOXES.read_query(query)
    assert caught.value.status == 422


def test_a_cursor_is_of_one_filter_and_order(
    shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    fill(shelves, boxes, [1, 2, 3])
    cursor = boxes.page(BOXES.read_query("limit=1&sort=packed_at")).cursor
    for other in ("sort=-packed_at", "sealed=true", "limit=1"):
        with pytest.raises(Problem, match="not valid"):
            BOXES.read_query(f"{other}&cursor={cursor}")


def test_connections_that_reads_keep_are_given_to_others(database: Database) -> None:
    spares = database._spares
    for connection in [spares.take() for _ in range(CONNECTIONS)]:
        spares.keep(connection, spares.generation)
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(database.reading(seconds=1))
    kept = spares.take()
    spares.keep(kept, spares.generation)
    assert spares.take() is kept


def test_a_connection_is_checked_before_it_is_given_to_others(database: Database) -> None:
    spares = Spares(database._engine, lambda _, seconds: seconds < 0)
    spares.keep(spares.take(), spares.generation)
    assert spares.generation == 0
    spares.release()
    assert spares.generation == 1


def test_no_read_gets_a_connection_from_before_one_broke(database: Database) -> None:
    spares = database._spares
    broken, kept, used = (spares.take() for _ in range(3))
    generation, driver = spares.generation, kept.dbapi_connection
    spares.keep(kept, generation)
    broken.invalidate()
    spares.keep(used, generation)
    assert spares.take() not in (kept, used)
    assert driver is not None
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError)):
        driver.cursor()


def test_a_reference_is_to_something_that_exists(
    shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    shelf = fill(shelves, boxes, [1])
    with pytest.raises(UnknownReference) as caught:
        boxes.create(BoxContent(shelf_id=uuid4(), packed_at=NOON))
    assert caught.value.fields == ("shelf_id",)
    with pytest.raises(StillReferenced, match="test_boxes"):
        shelves.delete(shelf.id)


def test_a_repeat_undoes_the_rest_of_its_transaction(
    database: Database, shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    told: list[str] = []

    def create() -> Shelf:
        with database.writing(lambda: told.append("created")):
            top = ShelfContent(name="top", label="")
            shelf = shelves.create(top, idempotency_key="a key")
            boxes.create(BoxContent(shelf_id=shelf.id, packed_at=NOON))
        return shelf

    first, again = create(), create()
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert len(boxes.page(BOXES.read_query("")).rows) == 1
    assert told == ["created"]
    with pytest.raises(KeyReused):
        shelves.create(ShelfContent(name="top", label="other"), idempotency_key="a key")


def test_each_field_that_clashes_is_named(shelves: Store[Shelf, ShelfContent]) -> None:
    shelves.create(ShelfContent(name="top", label="a"))
    with pytest.raises(Duplicate, match=r"this name\."):
        shelves.create(ShelfContent(name="top", label="b"))
    with pytest.raises(Duplicate, match=r"this (name and label|label and name)\."):
        shelves.create(ShelfContent(name="top", label="a"))


def test_stores_share_the_transaction_that_they_are_called_in(
    database: Database, shelves: Store[Shelf, ShelfContent], boxes: Store[Box, BoxContent]
) -> None:
    called: list[str] = []
    with database.writing(lambda: called.append("outer")):
        shelf = shelves.create(ShelfContent(name="top", label=""))
        with database.writing(lambda: called.append("inner")):
            box = boxes.create(BoxContent(shelf_id=shelf.id, packed_at=NOON))
        assert boxes.get(box.id).shelf_id == shelf.id
        assert called == []
    assert sorted(called) == ["inner", "outer"]

    def delete_and_fail() -> None:
        with database.writing():
            boxes.delete(box.id)
            shelves.create(ShelfContent(name="top", label="other"))

    with pytest.raises(Duplicate):
        delete_and_fail()
    assert boxes.get(box.id).id == box.id


@pytest.mark.parametrize(
    "content",
    [
        {"packed_at": "2030-01-01T12:00:00"},
        {"packed_at": "2030-02-30T12:00:00Z"},
        {"packed_at": "9999-12-31T23:59:59-01:00"},
        {"packed_at": 5},
        {"notes": "\x00"},
        {"notes": "x" * 51},
    ],
)
def test_content_that_is_not_valid_is_rejected(content: dict[str, Any]) -> None:
    valid = {"shelf_id": uuid4(), "packed_at": NOON, "notes": "line\n\ttab"}
    assert BoxContent.model_validate(valid)
    with pytest.raises(ValueError, match="validation error"):
        BoxContent.model_validate(valid | content)


def test_the_document_describes_filters_and_orders() -> None:
    def list_boxes() -> None:
        """List boxes."""

    def undescribed() -> None:
        """Say nothing.

        At length.
        """

    routes = [
        Route("GET", "/v1/boxes", BOXES.lists(list_boxes)),
        Route("POST", "/v1/quiet/{name}", undescribed),
    ]
    paths = build("name", "1", routes)["paths"]
    parameters = {one.get("name"): one for one in paths["/v1/boxes"]["get"]["parameters"]}
    assert parameters["sealed"]["schema"] == {"type": "boolean"}
    assert parameters["sort"]["schema"]["enum"] == ["packed_at", "-packed_at"]
    quiet = paths["/v1/quiet/{name}"]["post"]
    assert (quiet["operationId"], quiet["summary"]) == ("undescribed", "Say nothing.")
    assert [one["name"] for one in quiet["parameters"]] == ["name"]


def test_the_document_describes_what_is_not_json_and_own_parameters() -> None:
    @operation(query=BoxSearch, body_types=("image/png",), answer_types=("text/csv",))
    def scan() -> None:
        """Scan boxes."""

    routes = [
        Route("GET", "/v1/boxes", SEARCHED_BOXES.lists(lambda: None)),
        Route("GET", "/v1/shelves/{shelf_id}", SHELVES.reads(lambda: None)),
        Route("POST", "/v1/shelves/{shelf_id}/scans/{number}", scan),
    ]
    paths = build("name", "1", routes)["paths"]
    scans = paths["/v1/shelves/{shelf_id}/scans/{number}"]["post"]
    assert scans["requestBody"]["content"] == {"image/png": {}}
    assert scans["responses"]["200"]["content"] == {"text/csv": {}}
    shelf_id, number, after, kind = scans["parameters"]
    assert (shelf_id["schema"].get("format"), number["schema"].get("format")) == ("uuid", None)
    assert after["description"] == "The earliest hour."
    assert after["schema"] == {"type": "integer", "maximum": 23, "default": 0}
    assert kind["schema"] == {"type": "string", "enum": ["small", "large"]}
    assert paths["/v1/boxes"]["get"]["parameters"][-2:] == [after, kind]


def test_a_check_that_fails_or_raises_is_reported() -> None:
    def works() -> bool:
        return True

    def fails() -> bool:
        return False

    def breaks() -> bool:
        raise ValueError("out of order")

    found = health.Checks(lambda: {"database": True}, [works, fails, breaks]).run()
    assert found == {"database": True, "works": True, "fails": False, "breaks": False}
    assert health.report(found)[0] == 503


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02 00:00:00.000000",
        "2026-01-02T00:00:00Z",
        "2026-01-02 02:00:00+02:00",
        "2026-01-02",
    ],
)
def test_a_point_in_time_that_sqlite_has_as_text_is_in_utc(text: str) -> None:
    read = Instant().result_processor(sqlite.dialect(), None)
    found = read(text)
    assert (found, found.tzinfo) == (datetime(2026, 1, 2, tzinfo=UTC), UTC)
    assert read(None) is None


def test_the_newest_revision_is_found_as_alembic_finds_it(tmp_path: Path) -> None:
    lines = {
        "a": "down_revision: str | None = None",
        "b": 'down_revision: str | None = "a"',
        "c": 'down_revision = "a"',
        "d": 'down_revision = ("b", "c")',
        "e": 'down_revision = "d"\ndepends_on = "c"',
    }
    (tmp_path / "versions").mkdir()
    for revision, line in lines.items():
        text = f'revision: str = "{revision}"\n{line}\nbranch_labels = None\n'
        (tmp_path / "versions" / f"{revision}.py").write_text(text)
    scripts = ScriptDirectory(str(tmp_path))
    known = {script.revision for script in scripts.walk_revisions()}
    assert known == set(lines)
    assert replaced_revisions(tmp_path / "versions") == known - set(scripts.get_heads())
    assert replaced_revisions(tmp_path / "versions") == set("abcd")


NOT_FOR_SERVING = ("alembic", "mako")
READY = """
import sys
from stock_keeper.app import create_app
from stock_keeper.runtime.database import Database
from stock_keeper.runtime.settings import load_settings
database = Database(load_settings())
create_app()
assert database.checks() == {"database": True}, database.checks()
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
@pytest.mark.parametrize("number", [Decimal("12.34"), Decimal("-0.01"), None])
def test_decimals_are_exact_in_both_databases(dialect: Any, number: Decimal | None) -> None:
    exact = Exact(10, 2)
    stored = exact.process_bind_param(number, dialect)
    assert exact.process_result_value(stored, dialect) == number
    assert exact.load_dialect_impl(dialect) is not None


def test_the_migrations_make_the_tables_of_the_code(database_url: str) -> None:
    environ = os.environ | {"DATABASE_URL": database_url}
    for words in (["stock_keeper", "migrate"], ["alembic", "check"]):
        ended = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=Path(__file__).parents[1],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_service_does_not_import_what_migrates_it(database_url: str, database: Database) -> None:
    environ = os.environ | {"DATABASE_URL": database_url}
    ready = [sys.executable, "-c", READY]
    ended = subprocess.run(ready, env=environ, check=True, capture_output=True, text=True)
    assert {"sqlalchemy", "psycopg"} <= set(ended.stdout.split())
    assert not set(NOT_FOR_SERVING) & set(ended.stdout.split())
