"""What a service has from the start and what was added to it come to the same code."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scaffold.catalog.record import ANSWERS_FILE, BORN_WITH, RESOURCES, RETIRED
from scaffold.growing import apps, changes, grow, revisions
from scaffold.growing.changes import Change, Resources
from scaffold.making import render
from scaffold.resources import short_form
from scaffold.resources.model import Field, Resource
from tests.services import REPOSITORY, frameworks
from tests.tool.declarations import declarations

NAME = "hotel"
EXTRA = "extra note:text"
ASKING: dict[tuple[str, str], Callable[..., Change]] = {
    ("add", "resource"): changes.add_resource,
    ("add", "field"): changes.add_field,
    ("remove", "resource"): changes.remove_resource,
    ("remove", "field"): changes.remove_field,
}
Files = dict[str, bytes]


@dataclass(frozen=True)
class Story:
    """What a service is born with, and what is added and removed afterwards, as typed."""

    born: Resources
    steps: Sequence[tuple[str, ...]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Each resource and field is there at birth or comes later, in an order in which it can."""
    ordered = _by_need(draw(declarations(max_resources=3, max_fields=5)))
    count = draw(st.integers(1, len(ordered)))
    whole: list[Resource] = []
    late: list[tuple[str, Field]] = []
    for number, resource in enumerate(ordered):
        there = {one.name for one in ordered[: max(count, number + 1)]}
        waiting = [
            field
            for field in resource.fields
            if (field.target and field.target not in there)
            or (not field.required and draw(st.integers(0, 3)) == 0)
        ]
        now = [field for field in resource.fields if field not in waiting]
        whole.append(replace(resource, fields=tuple(now or [Field("spare", "bool")])))
        late += [(resource.name, field) for field in waiting]
    steps: list[tuple[str, ...]] = [
        ("add", "resource", short_form.short_form(one)) for one in whole[count:]
    ]
    for name, field in draw(st.permutations(late)) if late else []:
        steps.append(("add", "field", name, short_form.field_form(field)))
    if late and draw(st.booleans()):
        steps.append(("remove", "field", *steps[-1][2:3], steps[-1][3].split(":")[0]))
    if draw(st.booleans()):
        steps += [("add", "resource", EXTRA), ("remove", "resource", "extra")]
    return Story(tuple(whole[:count]), steps)


def _by_need(resources: Resources) -> list[Resource]:
    """Each after those that a row of it needs."""
    rest, ordered = list(resources), list[Resource]()
    while rest:
        there = {one.name for one in ordered}
        ready = next(
            one
            for one in rest
            if {f.target for f in one.fields if f.target and f.required} <= there
        )
        rest.remove(ready)
        ordered.append(ready)
    return ordered


def _needed(resource: Resource) -> set[str]:
    return {field.target for field in resource.fields if field.target and field.required}


def rendered(answers: dict[str, Any]) -> Files:
    with tempfile.TemporaryDirectory() as name:
        render.render(REPOSITORY, answers, Path(name))
        return {file: (Path(name) / file).read_bytes() for file in render.files_in(Path(name))}


def grown(answers: dict[str, Any], steps: Sequence[tuple[str, ...]]) -> tuple[Resources, Files]:
    """What the steps make of a service, as a merge leaves it where its owner changed nothing."""
    project = REPOSITORY / "templates" / answers["framework"] / "project"
    migrations = apps if apps.has_them(project) else revisions
    resources: Resources = changes.long_form.from_data(answers[RESOURCES])
    files = rendered(answers)
    for step in steps:
        change = ASKING[step[0], step[1]](resources, *step[2:])
        with tempfile.TemporaryDirectory() as name:
            write(Path(name), {n: text for n, text in files.items() if "/migrations/" in n})
            growth = migrations.growth(Path(name), NAME, change)
        answers = grow.answers_after(answers, change, migrations is apps)
        new = rendered(answers | {"growth": growth})
        kept = {n: text for n, text in files.items() if is_migration(n)}
        assert {n: new[n] for n in kept if n in new} == {n: kept[n] for n in kept if n in new}, step
        assert any(name not in files for name in new if is_migration(name)), step
        files, resources = kept | new, change.after
    return resources, files


def write(folder: Path, files: Files) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)


def is_migration(name: str) -> bool:
    return "/migrations/" in name and not name.endswith(("__init__.py", "env.py", ".mako"))


def comparable(files: Files) -> Files:
    """Without migrations, and without what they leave of a resource that was removed."""
    record = yaml.safe_load(files[ANSWERS_FILE])
    retired = tuple(f"src/{NAME}/{package}/" for package in record.pop(RETIRED, ()))
    record.pop(BORN_WITH, None)
    left = {
        n: text for n, text in files.items() if not is_migration(n) and not n.startswith(retired)
    }
    lines = {n: text.splitlines() for n, text in left.items() if n.endswith("django_settings.py")}
    settings = {
        n: b"\n".join(line for line in lines[n] if b"# only its migrations" not in line)
        for n in lines
    }
    return left | settings | {ANSWERS_FILE: yaml.safe_dump(record).encode()}


def come_to_the_same(framework: str, story: Story) -> None:
    answers: dict[str, Any] = {"name": NAME, "framework": framework}
    resources, files = grown(answers | {RESOURCES: changes.data(story.born)}, story.steps)
    born = rendered(answers | {RESOURCES: changes.data(resources)})
    there, expected = comparable(files), comparable(born)
    assert there.keys() == expected.keys()
    assert {n: text for n, text in there.items() if text != expected[n]} == {}
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), {n: t for n, t in files.items() if is_migration(n) or "toml" in n})
        for command in (["check", "."], ["format", "--check", "."]):
            ran = subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--no-cache"],
                cwd=name,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr


COMMON = settings(
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("framework", ["falcon", "django"])
@settings(COMMON, max_examples=2, derandomize=True)
@given(stories())
def test_born_with_and_added_later_come_to_the_same(framework: str, story: Story) -> None:
    come_to_the_same(framework, story)


@pytest.mark.slow
@pytest.mark.parametrize("framework", frameworks())
@settings(COMMON, max_examples=12)
@given(stories())
def test_many_drawn_services_come_to_the_same(framework: str, story: Story) -> None:
    """Nine times twelve, over all that can be declared."""
    come_to_the_same(framework, story)
