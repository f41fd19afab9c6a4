"""What can be added and removed, and what is refused with what would work instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.errors import BadAnswers, TargetError
from scaffold.growing import changes, revisions
from scaffold.growing.changes import Asked, Resources
from scaffold.resources import short_form

DECLARED: Resources = short_form.parse_all(
    (
        "room name:str:unique seats:int:default=2",
        "booking room:ref guest:email",
        "note booking:ref text:text above:ref=note:optional",
    )
)


def add_resource(text: str) -> Asked:
    return lambda before: changes.add_resource(before, text)


def add_field(name: str, text: str) -> Asked:
    return lambda before: changes.add_field(before, name, text)


def remove_resource(name: str) -> Asked:
    return lambda before: changes.remove_resource(before, name)


def remove_field(name: str, field: str) -> Asked:
    return lambda before: changes.remove_field(before, name, field)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (add_resource("room name:str"), "scaffold add field room 'FIELD'"),
        (add_resource("guest name:string"), "string"),
        (add_field("rom", "vip:bool:default=false"), 'mean "room"'),
        (
            add_field("room", "vip:bool:default=false big:bool:default=false"),
            "is not a single field",
        ),
        (add_field("room", "seats:int:optional"), 'already has a field "seats"'),
        (add_field("room", "vip:bool"), 'Try "vip:bool:optional" or "vip:bool:default=false".'),
        (add_field("room", "code:str:3..20:unique"), 'Try "code:str:3..20:optional:unique".'),
        (add_field("room", "guest:ref"), 'Try "guest:ref:optional".'),
        (
            add_field("room", "state:enum=open,shut"),
            'Try "state:enum=open,shut:optional" or "state:enum=open,shut:default=open".',
        ),
        (remove_resource("rooms"), 'mean "room"'),
        (remove_resource("room"), 'referred to by "room" of "booking". Remove that field first.'),
        (remove_field("room", "seat"), 'mean "seats"'),
        (remove_field("booking", "price"), "It has room and guest."),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_work(asked: Asked, told: str) -> None:
    with pytest.raises(BadAnswers) as refused:
        asked(DECLARED)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (remove_resource("item"), "the only resource of the service"),
        (remove_field("item", "name"), "scaffold remove resource item"),
    ],
)
def test_the_last_one_stays(asked: Asked, told: str) -> None:
    with pytest.raises(BadAnswers) as refused:
        asked(short_form.parse_all(("item name:str",)))
    assert told in str(refused.value)


def test_each_reference_to_a_resource_keeps_it() -> None:
    declared = short_form.parse_all(
        ("room name:str", "booking room:ref old:ref=room:optional", "key room:ref")
    )
    with pytest.raises(BadAnswers) as refused:
        changes.remove_resource(declared, "room")
    assert '"room" of "booking", "old" of "booking" and "room" of "key"' in str(refused.value)
    assert "Remove those fields first." in str(refused.value)


def test_a_resource_that_refers_to_itself_can_go() -> None:
    change = changes.remove_resource(DECLARED, "note")
    assert [resource.name for resource in change.after] == ["room", "booking"]


@pytest.mark.parametrize(
    ("field", "fill", "loses"),
    [
        ("seats:int:5..9", 5, changes.LOSES_VALUES),
        ("seats:int:default=7", 7, changes.LOSES_VALUES),
        ("seats:int:optional", None, None),
        ("seats:int:unique", None, changes.NEEDS_EMPTY),
        ("seats:ref=note", None, changes.NEEDS_EMPTY),
    ],
)
def test_a_removed_field_comes_back_with_what_its_type_allows(
    field: str, fill: object, loses: str | None
) -> None:
    declared = short_form.parse_all((f"room name:str {field}", "note text:text"))
    change = changes.remove_field(declared, "room", "seats")
    assert (change.fill, change.loses) == (fill, loses)


# ---- the migrations that a service has


def migration(folder: Path, revision: str, *after: str) -> None:
    several = {0: None, 1: after[0] if after else None}.get(len(after), after)
    lines = (
        "import alembic_of_another_world",
        f"revision: str = {revision!r}",
        f"down_revision = {several!r}",
        "raise SystemExit",
    )
    (folder / f"{revision}_any.py").write_text("\n".join(lines))


def test_a_migration_follows_the_newest_the_owners_included(tmp_path: Path) -> None:
    migration(tmp_path, "0001")
    migration(tmp_path, "5f2a9c", "0001")
    migration(tmp_path, "8e11d0", "0001")
    migration(tmp_path, "merged", "5f2a9c", "8e11d0")
    (tmp_path / "helpers.py").write_text("NUMBER = 7\n")
    after, known = revisions.newest(tmp_path)
    assert after == "merged"
    assert revisions.new_id(known, after, "Create guests") == "0002"


def test_a_number_that_is_taken_is_not_given_again(tmp_path: Path) -> None:
    migration(tmp_path, "0001")
    migration(tmp_path, "0007", "0001")
    after, known = revisions.newest(tmp_path)
    assert revisions.new_id(known, after, "Create guests") == "0008"
    last = revisions.new_id({"9999"}, "9999", "Create guests")
    assert len(last) == 12
    assert last == revisions.new_id({"9999"}, "9999", "Create guests")
    assert last != revisions.new_id({"9999"}, "9999", "Create rooms")


def test_several_heads_are_refused_with_the_command_that_joins_them(tmp_path: Path) -> None:
    migration(tmp_path, "0001")
    migration(tmp_path, "aaaa", "0001")
    migration(tmp_path, "bbbb", "0001")
    with pytest.raises(TargetError) as refused:
        revisions.newest(tmp_path)
    assert "2 heads, aaaa and bbbb" in str(refused.value)
    assert "uv run alembic merge heads -m" in str(refused.value)


def test_a_circle_and_what_is_no_python_are_refused(tmp_path: Path) -> None:
    migration(tmp_path, "0001", "0002")
    migration(tmp_path, "0002", "0001")
    with pytest.raises(TargetError, match="in a circle"):
        revisions.newest(tmp_path)
    (tmp_path / "0003_any.py").write_text("revision = (\n")
    with pytest.raises(TargetError, match=r"0003_any\.py.* cannot be read"):
        revisions.newest(tmp_path)
