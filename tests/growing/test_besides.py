"""What a service has besides can be added later, and taken away again."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.catalog import catalog
from tests.growing.conftest import DECLARED
from tests.growing.services import Service, run
from tests.growing.test_commands import is_as_committed, record
from tests.services import REPOSITORY
from tests.tool.conftest import Checkout
from tests.tool.lineage import commit, git

CHOICES = catalog.load(REPOSITORY).question("with").choices


def files_of(service: Service) -> dict[str, str]:
    return {name: text for name, text in service.contents().items() if name != "uv.lock"}


@pytest.mark.parametrize("choice", CHOICES)
def test_what_is_added_is_as_if_it_had_been_there_from_the_start(
    template: Service, service: Service, tmp_path: Path, choice: str
) -> None:
    declared = [word for text in DECLARED for word in ("--resource", text)]
    given = ("--framework", "flask", "--defaults", "--no-lock", *declared)
    assert run(tmp_path, "new", "other", *given, "--with", choice).code == 0
    ran = service.run("add", choice, "--no-lock", "--json")
    assert (ran.code, ran.json["message"], ran.json["conflicts"]) == (0, f"Add {choice}", [])
    commit(service.folder)
    born = tmp_path / "born"
    born.mkdir()
    assert run(born, "new", "hotel", *given, "--with", choice).code == 0
    assert files_of(service) == files_of(Service(born / "hotel"))
    assert record(service)["with"] == [choice]
    service.grow("remove", choice)
    assert files_of(service) == files_of(template)


def test_several_are_recorded_in_one_order(service: Service) -> None:
    for choice in reversed(CHOICES):
        service.grow("add", choice)
    assert record(service)["with"] == list(CHOICES)
    ran = service.run("check", ".", "--json")
    (checked,) = ran.json["services"]
    assert (checked["drift"], checked["behind"]) == ([], False)
    service.grow("add", "field", "booking", "vip:bool:default=false")
    assert record(service)["with"] == list(CHOICES)


def test_a_preview_writes_nothing(service: Service) -> None:
    ran = service.run("add", CHOICES[0], "--dry-run", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert f'+with: ["{CHOICES[0]}"]' in ran.json["diff"].splitlines()
    assert is_as_committed(service)
    assert "Nothing was written." in service.run("add", CHOICES[0], "--dry-run").out


def test_the_folder_is_named(service: Service, tmp_path: Path) -> None:
    ran = run(tmp_path, "add", CHOICES[0], "--into", str(service.folder), "--no-lock")
    assert ran.code == 0
    assert record(service) != {}
    assert git(service.folder, "diff", "--staged", "--name-only")


def test_what_changes_nothing_is_refused(service: Service) -> None:
    for command, told in (
        (
            ("remove", CHOICES[0]),
            f"The service does not have {CHOICES[0]}. It has no optional features.",
        ),
        (("add", "nothing"), "nothing"),
    ):
        ran = service.run(*command, "--json")
        assert ran.code == 2
        assert told in ran.json["error"]["message"]
    service.grow("add", CHOICES[0])
    ran = service.run("add", CHOICES[0], "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (2, "bad-answers")
    assert ran.json["error"]["message"] == f"The service already has {CHOICES[0]}."
    assert is_as_committed(service)


def test_what_the_owner_did_to_the_same_lines_is_a_conflict(service: Service) -> None:
    file = "src/hotel/runtime/telemetry.py"
    service.edit(file, "from . import metrics\n", "from . import metrics  # and more\n")
    ran = service.run("add", "tracing", "--no-lock", "--json")
    assert ran.code == 4
    assert [one["file"] for one in ran.json["conflicts"]] == [file]
    text = (service.folder / file).read_text()
    assert "<<<<<<<" in text
    assert "from . import metrics  # and more\n" in text


def test_what_the_owner_did_beside_it_is_no_conflict(service: Service) -> None:
    """A package whose line is next to those that are added, and a variable after the last one."""
    service.edit("pyproject.toml", '"prometheus-client>=0.22",', '"prometheus-client>=0.23",')
    example = service.folder / ".env.example"
    example.write_text(example.read_text() + "\n# Ours.\nOWN=1\n")
    commit(service.folder)
    service.grow("add", "tracing")
    packages = (service.folder / "pyproject.toml").read_text()
    assert '"prometheus-client>=0.23",' in packages
    assert "opentelemetry" in packages
    assert "OWN=1" in example.read_text()
    assert "OTEL" in example.read_text()


def test_a_record_that_somebody_wrote_is_read_first(service: Service) -> None:
    path = service.folder / ".copier-answers.yml"
    path.write_text(path.read_text() + 'with: ["own"]\n')
    commit(service.folder)
    ran = service.run("add", CHOICES[0], "--no-lock", "--json")
    assert ran.code == 2, "what is recorded has to be a choice"
    assert '"own" is not a valid answer to with.' in ran.json["error"]["message"]
    assert is_as_committed(service)


def test_a_shell_completes_what_can_be_added(template: Service) -> None:
    asked = {"COMP_WORDS": "scaffold add ", "COMP_CWORD": "2"}
    checkout = Checkout(REPOSITORY)
    ran = checkout.scaffold(cwd=template.folder, _SCAFFOLD_COMPLETE="complete_bash", **asked)
    assert ran.out.split() == ["resource", "field", *CHOICES]
