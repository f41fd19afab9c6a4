"""What an owner did to a service meanwhile stays, whatever is added or removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.growing.services import Service, program
from tests.services import frameworks, install
from tests.tool.lineage import commit, git

OWN = "The owner's own."
COMMANDS = {
    "add-resource": ("add", "resource", "invoice booking:ref total:decimal:10.2"),
    "add-field": ("add", "field", "booking", "vip:bool:default=false:filter"),
    "remove-field": ("remove", "field", "booking", "paid"),
    "remove-resource": ("remove", "resource", "booking"),
}


def source_of(service: Service) -> Path:
    (found,) = (service.folder / "src").iterdir()
    return found


def routes_of(service: Service, resource: str) -> Path:
    folder = source_of(service) / resource
    return next(folder / name for name in ("routes.py", "views.py") if (folder / name).exists())


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def renamed_package(service: Service) -> None:
    git(service.folder, "mv", "src/hotel", "src/inn")
    for name in ("pyproject.toml", "Dockerfile"):
        path = service.folder / name
        path.write_text(path.read_text().replace("src/hotel", "src/inn"))


def edited_routes(service: Service) -> None:
    append(routes_of(service, "rooms"), f"\n\ndef own() -> str:\n    return {OWN!r}\n")


def own_resource(service: Service) -> None:
    folder = source_of(service) / "gardens"
    folder.mkdir()
    (folder / "__init__.py").write_text(f'"""{OWN}"""\n')
    (folder / "routes.py").write_text(f'"""{OWN}"""\n')
    app = next(
        p for p in (source_of(service) / n for n in ("django_settings.py", "app.py")) if p.exists()
    )
    append(app, f"\nGARDENS = {OWN!r}\n")


def own_migration(service: Service) -> None:
    source = source_of(service)
    versions = source / "migrations" / "versions"
    if versions.exists():
        last = sorted(versions.glob("0*.py"))[-1].name[:4]
        (versions / "a1b2c3_own.py").write_text(
            f'"""{OWN}"""\n\nrevision = "a1b2c3"\ndown_revision = "{last}"\n'
        )
        return
    (source / "bookings" / "migrations" / "0002_own.py").write_text(
        f'"""{OWN}"""\n\n\nclass Migration:\n    dependencies = [("bookings", "0001_initial")]\n'
    )


def deleted_tests(service: Service) -> None:
    for name in ("test_rooms.py", "test_bookings.py"):
        (service.folder / "tests" / name).unlink()


def other_words(service: Service) -> None:
    path = service.folder / "README.md"
    path.write_text(f"# Ours\n\n{OWN}\n" + path.read_text().split("\n", 1)[1])


EDITS: dict[str, Callable[[Service], None]] = {
    "renamed-package": renamed_package,
    "edited-routes": edited_routes,
    "own-resource": own_resource,
    "own-migration": own_migration,
    "deleted-tests": deleted_tests,
    "other-words": other_words,
}


def owned(template: Service, folder: Path, *edits: str) -> Service:
    service = Service(Path(shutil.copytree(template.folder, folder / "hotel")))
    for edit in edits:
        EDITS[edit](service)
    commit(service.folder)
    return service


def stays(service: Service, *command: str, moved: str | None = None) -> None:
    """Runs the command: nothing that its owner wrote or removed is otherwise afterwards.

    Below `moved` are files that the owner renamed and the command would remove: git leaves both
    to the owner.
    """
    before = service.contents()
    package = source_of(service).name
    ran = service.run(*command, "--no-lock", "--json")
    conflicts = [one["file"] for one in ran.json.get("conflicts", [])]
    assert [name for name in conflicts if not (moved and name.startswith(moved))] == [], ran.out
    assert ran.code == (4 if moved else 0), ran.out
    assert bool(conflicts) == bool(moved)
    commit(service.folder)
    after = service.contents()
    owns = {name for name, text in before.items() if OWN in text}
    assert {name for name, text in after.items() if OWN in text} == owns
    new = after.keys() - before.keys()
    assert any("/migrations/" in name for name in new), new
    if command[:2] == ("add", "resource"):
        assert f"src/{package}/invoices/__init__.py" in new
    assert {name.split("/")[1] for name in after if name.startswith("src/")} == {package}
    if "tests/test_rooms.py" not in before:
        assert not {"tests/test_rooms.py", "tests/test_bookings.py"} & after.keys()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("framework", frameworks())
def test_what_the_owner_did_stays(
    framework: str, edit: str, command: str, born: Callable[[str], Service], tmp_path: Path
) -> None:
    moved = (edit, command) == ("renamed-package", "remove-resource")
    service = owned(born(framework), tmp_path, edit)
    stays(service, *COMMANDS[command], moved="src/inn/bookings/" if moved else None)


def test_all_that_an_owner_did_stays(born: Callable[[str], Service], tmp_path: Path) -> None:
    service = owned(born("flask"), tmp_path, *EDITS)
    stays(service, *COMMANDS["add-resource"])
    stays(service, *COMMANDS["remove-field"])


# ---- a resource whose folder has another name


def renamed_folder(service: Service) -> None:
    source = source_of(service)
    git(service.folder, "mv", f"src/{source.name}/bookings", f"src/{source.name}/stays")
    for path in [*source.rglob("*.py"), *(service.folder / "tests").glob("*.py")]:
        text = path.read_text()
        for before, after in (
            (f"{source.name}.bookings", f"{source.name}.stays"),
            ("from .bookings", "from .stays"),
            ("from . import bookings", "from . import stays"),
        ):
            text = text.replace(before, after)
        path.write_text(text)


def assert_followed(service: Service, command: str) -> None:
    """The change is in the folder with its new name, and no other has come."""
    before = service.contents()
    ran = service.run(*COMMANDS[command], "--no-lock", "--json")
    stays = "src/hotel/stays/"
    conflicts = {one["file"] for one in ran.json["conflicts"]}
    if command == "remove-resource":  # what is left is the owner's to remove
        assert ran.code == 4
        was_there = {name for name in before if name.startswith(stays)}
        migrations = {name for name in was_there if "/migrations/" in name}
        if migrations:  # Django's package stays for them
            was_there -= {*migrations, f"{stays}__init__.py", f"{stays}apps.py"}
            assert (service.folder / stays / "migrations/0002_delete_booking.py").exists()
        assert was_there <= conflicts
        return
    # A new import may stand beside one that the owner changed for the folder's new name.
    joints = {f"src/hotel/{name}.py" for name in ("seed", "django_settings", "urls")}
    beside = joints if command == "add-resource" else set()
    assert conflicts <= beside
    assert ran.code == (4 if conflicts else 0)
    changed = {one["file"] for one in ran.json["files"]}
    assert command == "add-resource" or any(name.startswith(stays) for name in changed)
    assert not (service.folder / "src/hotel/bookings").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("framework", [one for one in frameworks() if one != "django"])
def test_a_renamed_folder_of_a_resource_is_followed(
    framework: str, command: str, born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = owned(born(framework), tmp_path)
    renamed_folder(service)
    commit(service.folder)
    assert_followed(service, command)


def labelled(service: Service) -> None:
    """Django goes on to know the package by the name that its folder had."""
    (source_of(service) / "stays" / "apps.py").write_text(
        "from django.apps import AppConfig\n\n\n"
        "class StaysConfig(AppConfig):\n"
        '    name = "hotel.stays"\n'
        '    label = "bookings"\n'
    )
    for name in ("django_settings.py", "urls.py"):
        path = source_of(service) / name
        path.write_text(path.read_text().replace("}.bookings", "}.stays"))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_in_django_a_renamed_folder_with_its_old_label_is_followed(
    command: str, born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = owned(born("django"), tmp_path)
    renamed_folder(service)
    labelled(service)
    commit(service.folder)
    assert_followed(service, command)


@pytest.mark.slow
def test_in_django_a_grown_service_with_a_renamed_folder_migrates(
    born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = owned(born("django"), tmp_path)
    renamed_folder(service)
    labelled(service)
    install(service.folder)
    commit(service.folder)
    database = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'hotel.db'}",
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
    }
    program(service.folder, "hotel", "migrate", **database)
    for command in ("add-field", "remove-field"):
        service.grow(*COMMANDS[command])
        program(service.folder, "hotel", "migrate", **database)
        program(service.folder, "python", "manage.py", "makemigrations", "--check", **database)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_in_django_a_renamed_folder_without_its_label_stops_the_command(
    command: str, born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = owned(born("django"), tmp_path)
    renamed_folder(service)
    commit(service.folder)
    before = service.contents()
    ran = service.run(*COMMANDS[command], "--no-lock")
    assert ran.code == 3
    assert 'If you renamed the folder, set label = "bookings" in the AppConfig' in ran.err
    assert service.contents() == before
    git(service.folder, "mv", "src/hotel/stays", "src/hotel/bookings")  # as it says
    commit(service.folder)
    done = service.run(*COMMANDS[command], "--no-lock")
    assert done.code in (0, 4), done.err


def test_a_field_comes_to_a_resource_in_a_renamed_folder(
    born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = owned(born("flask"), tmp_path)
    renamed_folder(service)
    commit(service.folder)
    assert_followed(service, "add-field")
    assert "vip" in (service.folder / "src/hotel/stays/model.py").read_text()
