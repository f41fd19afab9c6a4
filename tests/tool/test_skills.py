"""`scaffold skills`: pages for coding agents, whose commands tests/docs follows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scaffold.catalog import skills
from tests.tool.conftest import REPOSITORY, Checkout

NAMES = ["choose-a-framework", "generate-a-service", "grow-a-service", "update-services"]


def test_they_are_listed_with_when_to_use_each(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.scaffold("skills", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert re.findall(r"^[a-z-]+$", ran.out, re.MULTILINE) == NAMES
    assert ran.out.count("Use ") == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_is_printed_as_it_is(checkout: Checkout, tmp_path: Path, name: str) -> None:
    ran = checkout.scaffold("skills", name, cwd=tmp_path)
    assert ran.code == 0
    assert ran.out == (REPOSITORY / "skills" / name / "SKILL.md").read_text()


def test_json_has_name_description_and_text(checkout: Checkout, tmp_path: Path) -> None:
    found = checkout.scaffold("skills", "--json", cwd=tmp_path).json
    assert [one["name"] for one in found["skills"]] == NAMES
    assert all(one["text"].startswith("---\nname: ") for one in found["skills"])
    assert found["files"] == []


@pytest.mark.parametrize("skill", skills.load(REPOSITORY), ids=lambda skill: skill.name)
def test_each_is_what_agents_read(skill: skills.Skill) -> None:
    """The limits of the format: a name of its folder, a description of 1,024 characters."""
    assert (REPOSITORY / "skills" / skill.name / skills.FILE).is_file()
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", skill.name)
    assert len(skill.name) <= 64
    assert 1 <= len(skill.description) <= 1024
    assert skill.text.count("\n") < 500


def test_they_are_written_into_a_folder_and_again(checkout: Checkout, tmp_path: Path) -> None:
    for _ in range(2):
        ran = checkout.scaffold("skills", "--output", ".agents/skills", "--json", cwd=tmp_path)
        assert ran.code == 0
        files = [f".agents/skills/{name}/SKILL.md" for name in NAMES]
        assert ran.json["files"] == files
    for name in NAMES:
        text = (tmp_path / ".agents/skills" / name / "SKILL.md").read_text()
        assert text == checkout.scaffold("skills", name, cwd=tmp_path).out


def test_a_file_that_was_edited_is_never_overwritten(checkout: Checkout, tmp_path: Path) -> None:
    edited = tmp_path / "skills" / "grow-a-service" / "SKILL.md"
    edited.parent.mkdir(parents=True)
    edited.write_text("ours")
    ran = checkout.scaffold("skills", "--output", "skills", cwd=tmp_path)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "scaffold: Different files already exist: skills/grow-a-service/SKILL.md. "
        "Move them or use another folder.\n"
    )
    assert edited.read_text() == "ours"
    assert [path.name for path in (tmp_path / "skills").iterdir()] == ["grow-a-service"]


def test_a_folder_that_cannot_be_made_is_named(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = checkout.scaffold("skills", "update-services", "--output", "file", cwd=tmp_path)
    assert ran.code == 3
    assert ran.err.startswith("scaffold: ")
    assert "file/update-services" in ran.err


def test_an_unknown_one_is_named_with_the_one_that_may_be_meant(
    checkout: Checkout, tmp_path: Path
) -> None:
    ran = checkout.scaffold("skills", "update-service", cwd=tmp_path)
    said = 'scaffold: Unknown skill "update-service". Did you mean "update-services"?\n'
    assert (ran.code, ran.err) == (2, said)
    other = checkout.scaffold("skills", "xyz", cwd=tmp_path)
    assert other.err == f'scaffold: Unknown skill "xyz". The skills are {", ".join(NAMES)}.\n'
