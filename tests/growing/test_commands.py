"""`scaffold add` and `scaffold remove`: whole or not at all, and nothing of the owner's is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.growing.services import Service, run
from tests.tool.lineage import commit, git

VIP = ("add", "field", "booking", "vip:bool:default=false:filter")
GUEST = ("add", "resource", "guest email:email:unique")
VERSIONS = "src/hotel/migrations/versions"
MODEL = "src/hotel/bookings/model.py"


def is_as_committed(service: Service) -> bool:
    return not git(service.folder, "status", "--porcelain")


def record(service: Service) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(service.contents()[".copier-answers.yml"])
    return found


def test_a_resource_comes_with_its_code_tests_and_migration(service: Service) -> None:
    ran = service.run(*GUEST, "--no-lock", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["message"] == "Create guests"
    assert (ran.json["framework"], ran.json["conflicts"]) == ("flask", [])
    files = {one["file"]: one["how"] for one in ran.json["files"]}
    assert files["src/hotel/guests/routes.py"] == "added"
    assert files["tests/test_guests.py"] == "added"
    assert files[f"{VERSIONS}/0002_create_guests.py"] == "added"
    assert files["src/hotel/app.py"] == "changed"
    assert f"{VERSIONS}/0001_create_tables.py" not in files
    staged = git(service.folder, "diff", "--staged", "--name-only").split()
    assert sorted(staged) == sorted(files)


def test_what_the_service_was_born_with_is_recorded_once_it_differs(service: Service) -> None:
    born = record(service)["resources"]
    assert "born_with" not in record(service)
    service.grow(*GUEST)
    assert record(service)["born_with"] == born
    assert [one["name"] for one in record(service)["resources"]] == ["room", "booking", "guest"]  # type: ignore[attr-defined]
    service.grow("remove", "resource", "guest")
    assert record(service)["resources"] == born
    assert "born_with" not in record(service)


def test_migrations_that_came_stay_and_follow_each_other(service: Service) -> None:
    service.grow(*VIP)
    service.grow("remove", "field", "booking", "vip")
    service.grow(*VIP)
    files = service.contents()
    chain = {
        name: re.findall(r'^(?:down_)?revision = "?(\w+)', text, re.MULTILINE)
        for name, text in files.items()
        if name.startswith(VERSIONS)
    }
    assert chain == {
        f"{VERSIONS}/0001_create_tables.py": ["0001", "None"],
        f"{VERSIONS}/0002_add_vip_to_bookings.py": ["0002", "0001"],
        f"{VERSIONS}/0003_remove_vip_from_bookings.py": ["0003", "0002"],
        f"{VERSIONS}/0004_add_vip_to_bookings.py": ["0004", "0003"],
    }
    assert (
        "# Rows get a valid placeholder value"
        in files[f"{VERSIONS}/0003_remove_vip_from_bookings.py"]
    )


def test_what_was_added_is_no_drift_and_an_update_keeps_it(service: Service) -> None:
    service.grow(*GUEST)
    service.grow("add", "field", "room", "open:bool:default=true")
    ran = service.run("check", ".", "--json")
    (checked,) = ran.json["services"]
    assert (checked["drift"], checked["behind"]) == ([], False)
    before = service.contents()
    assert service.run("update", "--defaults", "--ci", "none", "--no-lock").code == 0
    commit(service.folder)
    assert service.contents().keys() == {n for n in before if not n.startswith(".github")}
    assert record(service)["born_with"] != record(service)["resources"]


def test_a_dry_run_shows_what_would_change_and_writes_nothing(service: Service) -> None:
    ran = service.run(*VIP, "--dry-run", "--json")
    assert ran.code == 0
    assert "+    vip: Mapped[bool]" in ran.json["diff"]
    assert f"+++ b/{VERSIONS}/0002_add_vip_to_bookings.py" in ran.json["diff"]
    assert is_as_committed(service)
    ran = service.run(*VIP, "--dry-run")
    assert "Nothing was written." in ran.out
    assert is_as_committed(service)


def test_a_service_elsewhere_and_the_next_steps(service: Service) -> None:
    ran = run(service.folder.parent, *VIP, "--no-lock", "--into", str(service.folder))
    assert ran.code == 0
    assert ran.out.startswith("hotel: Add vip to bookings\n")
    assert "  ~ src/hotel/bookings/model.py" in ran.out
    assert ran.out.endswith("  git commit --all --message 'Add vip to bookings'\n")


def test_a_conflict_is_markers_in_the_file_and_exit_code_4(service: Service) -> None:
    line = '    __tablename__ = "bookings"\n'
    service.edit(MODEL, line, f'{line}    filters = ("owners",)\n')
    ran = service.run(*VIP, "--no-lock")
    assert ran.code == 4
    assert f"{MODEL}: you and the template changed the same lines" in " ".join(ran.out.split())
    assert "resolve each conflict, then `git add`" in ran.out
    text = (service.folder / MODEL).read_text()
    assert re.search("<<<<<<< yours\n.*owners.*=======\n.*vip.*>>>>>>> template", text, re.DOTALL)


def test_what_the_owner_wrote_into_a_resource_is_not_removed_in_silence(service: Service) -> None:
    routes = "src/hotel/bookings/routes.py"
    service.edit(routes, '"""', '"""The owner\'s. ')
    ran = service.run("remove", "resource", "booking", "--no-lock", "--json")
    assert ran.code == 4
    assert [one["file"] for one in ran.json["conflicts"]] == [routes]
    assert "The owner's." in (service.folder / routes).read_text()
    assert not (service.folder / MODEL).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "resource", "guest"), 2, "at least one field"),
        (("add", "resource", "health name:str"), 2, "health"),
        (("add", "resource", "stay room:ref=suite"), 2, 'No resource is called "suite"'),
        (("add", "field", "booking", "revision:int:default=1"), 2, "revision"),
        (("add", "field", "booking", "vip:bool"), 2, "vip:bool:default=false"),
        (("remove", "resource", "room"), 2, "Remove that field first"),
        (("remove", "field", "booking", "room"), 2, "scaffold remove resource booking"),
        (("add", "everything"), 2, "everything"),
        ((*GUEST, "--into", "elsewhere"), 3, "elsewhere"),
    ],
)
def test_a_refusal_says_why_and_writes_nothing(
    service: Service, arguments: tuple[str, ...], code: int, told: str
) -> None:
    ran = service.run(*arguments, "--json")
    assert (ran.code, ran.err) == (code, "")
    assert told in ran.json["error"]["message"]
    assert is_as_committed(service)


def test_uncommitted_changes_are_refused_by_the_name_of_the_command(service: Service) -> None:
    (service.folder / "README.md").write_text("Not committed.\n")
    ran = service.run(*GUEST)
    assert ran.code == 3
    assert "README.md. Commit or stash them first, so that what `scaffold add` changes" in ran.err
    ran = service.run("remove", "resource", "booking")
    assert "what `scaffold remove` changes" in ran.err
    ran = service.run("update", "--defaults")
    assert "what `scaffold update` changes" in ran.err


def test_several_heads_are_refused(service: Service) -> None:
    folder = service.folder / VERSIONS
    for name in ("aa", "bb"):
        (folder / f"{name}.py").write_text(f'revision = "{name}"\ndown_revision = "0001"\n')
    commit(service.folder)
    ran = service.run(*VIP, "--json")
    assert ran.code == 3
    assert "uv run alembic merge heads" in ran.json["error"]["message"]
    assert is_as_committed(service)


def test_a_service_without_recorded_resources_is_told_to_update(service: Service) -> None:
    path = service.folder / ".copier-answers.yml"
    text = path.read_text()
    start = text.index("resources:\n")
    path.write_text(text[:start] + re.sub(r"\A.*\n(?: .*\n)*", "", text[start:]))
    commit(service.folder)
    ran = service.run(*GUEST)
    assert ran.code == 3
    assert "commit: scaffold update" in ran.err


def test_the_owners_migration_in_between_is_followed(service: Service) -> None:
    (service.folder / VERSIONS / "5f2a9c_own.py").write_text(
        'revision = "5f2a9c"\ndown_revision = "0001"\n'
    )
    commit(service.folder)
    service.grow(*VIP)
    text = (service.folder / VERSIONS / "0002_add_vip_to_bookings.py").read_text()
    assert 'down_revision = "5f2a9c"' in text


def test_a_service_in_a_larger_repository(template: Service, tmp_path: Path) -> None:
    service = Service(tmp_path / "services" / "hotel")
    for name, text in template.contents().items():
        path = service.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "README.md").write_text("The whole.\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    (tmp_path / "README.md").write_text("Not committed, and beside the service.\n")
    ran = service.run(*GUEST, "--no-lock")
    assert ran.code == 0, ran.err
    staged = git(tmp_path, "diff", "--staged", "--name-only").split()
    assert all(name.startswith("services/hotel/") for name in staged)
    assert f"services/hotel/{VERSIONS}/0002_create_guests.py" in staged
