"""Migrations in the packages of resources, as Django has them: names, numbers, dependencies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaffold.errors import TargetError
from scaffold.growing import apps, changes
from scaffold.growing.changes import Change, Resources
from scaffold.resources import short_form

DECLARED: Resources = short_form.parse_all(
    ("room name:str", "booking room:ref guest:str", "note text:text")
)


@pytest.fixture
def service(tmp_path: Path) -> Path:
    migration(tmp_path, "rooms", "0001_initial")
    migration(tmp_path, "bookings", "0001_initial", ("rooms", "0001_initial"))
    migration(tmp_path, "notes", "0001_initial")
    return tmp_path


def migration(service: Path, app: str, name: str, *after: tuple[str, str], more: str = "") -> None:
    folder = service / "src" / "hotel" / app / "migrations"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text("")
    written = ", ".join([*map(repr, after), "migrations.swappable_dependency(USER)"])
    text = (
        "raise SystemExit\n"
        "class Migration(migrations.Migration):\n"
        f"    dependencies = [{written}]\n"
        f"    {more or 'operations = []'}\n"
    )
    (folder / f"{name}.py").write_text(text)


def grown(service: Path, change: Change) -> dict[str, Any]:
    return apps.growth(service, "hotel", change)[0]


def test_a_field_follows_the_newest_of_its_package_and_of_what_it_refers_to(service: Path) -> None:
    migration(service, "rooms", "0002_own", ("rooms", "0001_initial"))
    new = grown(service, changes.add_field(DECLARED, "note", "room:ref:optional"))
    assert (new["package"], new["file"]) == ("notes", "0002_note_room.py")
    assert new["dependencies"] == [("notes", "0001_initial"), ("rooms", "0002_own")]


def test_a_new_package_begins_with_an_initial_migration(service: Path) -> None:
    new = grown(service, changes.add_resource(DECLARED, "stay booking:ref above:ref=stay:optional"))
    assert (new["package"], new["file"], new["first"]) == ("stays", "0001_initial.py", True)
    assert new["dependencies"] == [("bookings", "0001_initial")]


def test_a_resource_that_comes_again_follows_what_is_left_of_it(service: Path) -> None:
    migration(service, "stays", "0001_initial")
    migration(service, "stays", "0002_delete_stay", ("stays", "0001_initial"))
    new = grown(service, changes.add_resource(DECLARED, "stay name:str"))
    assert (new["file"], new["first"]) == ("0003_stay.py", False)
    assert new["dependencies"] == [("stays", "0002_delete_stay")]


def test_a_table_goes_after_all_that_referred_to_it(service: Path) -> None:
    migration(service, "notes", "0002_note_booking", ("bookings", "0001_initial"), NOTES)
    migration(service, "notes", "0003_remove_note_booking", ("notes", "0002_note_booking"))
    new = grown(service, changes.remove_resource(DECLARED, "booking"))
    assert (new["package"], new["file"]) == ("bookings", "0002_delete_booking.py")
    assert new["dependencies"] == [
        ("bookings", "0001_initial"),
        ("notes", "0003_remove_note_booking"),
    ]


NOTES = ("notes", "0001_initial")


def test_several_heads_are_refused_with_the_command_that_joins_them(service: Path) -> None:
    migration(service, "rooms", "0002_one", ("rooms", "0001_initial"))
    migration(service, "rooms", "0002_two", ("rooms", "0001_initial"))
    change = changes.add_field(DECLARED, "note", "room:ref:optional")
    with pytest.raises(TargetError) as refused:
        grown(service, change)
    assert '"rooms" have 2 heads, 0002_one and 0002_two' in str(refused.value)
    assert "manage.py makemigrations --merge" in str(refused.value)
    migration(service, "rooms", "0003_merge", ("rooms", "0002_one"), ("rooms", "0002_two"))
    assert ("rooms", "0003_merge") in grown(service, change)["dependencies"]


def test_squashed_migrations_stand_for_those_that_they_replace(service: Path) -> None:
    migration(service, "rooms", "0002_more", ("rooms", "0001_initial"))
    replaced = 'replaces = [("rooms", "0001_initial"), ("rooms", "0002_more")]'
    migration(service, "rooms", "0001_squashed_0002_more", more=replaced)
    new = grown(service, changes.add_field(DECLARED, "room", "vip:bool:default=true"))
    assert new["dependencies"] == [("rooms", "0001_squashed_0002_more")]


def test_a_package_that_is_not_there_is_named(service: Path) -> None:
    (service / "src" / "hotel" / "notes" / "migrations" / "0001_initial.py").unlink()
    with pytest.raises(TargetError, match=r"notes.* has no migrations"):
        grown(service, changes.add_field(DECLARED, "note", "vip:bool:default=true"))


def labelled(service: Path, folder: str, label: str) -> None:
    config = f"class Config(AppConfig):\n    name = 'hotel.{folder}'\n    label = '{label}'\n"
    (service / "src" / "hotel" / folder / "apps.py").write_text("raise SystemExit\n" + config)


def test_a_package_is_found_by_its_label(service: Path) -> None:
    """As Django finds it: migrations name the label, and not the folder."""
    source = service / "src" / "hotel"
    (source / "bookings").rename(source / "stays")
    labelled(service, "stays", "bookings")
    migration(service, "notes", "0002_note_booking", ("bookings", "0001_initial"), NOTES)
    new = grown(service, changes.add_field(DECLARED, "booking", "vip:bool:default=true"))
    assert (new["package"], new["file"]) == ("bookings", "0002_booking_vip.py")
    assert new["dependencies"] == [("bookings", "0001_initial")]
    new = grown(service, changes.remove_resource(DECLARED, "booking"))
    assert ("notes", "0002_note_booking") in new["dependencies"]


def test_a_folder_with_the_label_of_another_package_is_not_taken_for_one_of_its_name(
    service: Path,
) -> None:
    source = service / "src" / "hotel"
    (source / "bookings").rename(source / "stays")
    labelled(service, "stays", "bookings")
    new = grown(service, changes.add_resource(DECLARED, "stay name:str"))
    assert (new["file"], new["first"]) == ("0001_initial.py", True)


def test_a_renamed_folder_without_a_label_is_refused_with_what_would_work(service: Path) -> None:
    source = service / "src" / "hotel"
    (source / "bookings").rename(source / "stays")
    with pytest.raises(TargetError) as refused:
        grown(service, changes.add_field(DECLARED, "booking", "vip:bool:default=true"))
    assert 'set label = "bookings" in the AppConfig in its apps.py' in str(refused.value)
