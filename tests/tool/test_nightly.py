"""The nightly run: nothing is lost, nothing skipped is good, and the page shows what was seen."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nightly import __main__ as command
from nightly import cells as cells_
from nightly import floors, proving, recorder, report, results, sessions
from nightly.cells import Made
from nightly.results import TITLES, About, Bite, Check, Result, Run, Step
from scaffold import matrix
from scaffold.catalog import catalog, record, sources
from scaffold.catalog.catalog import Catalog
from scaffold.making import post_generate
from tests.services import frameworks
from tests.tool.conftest import REPOSITORY, WITH_TEMPLATE
from tests.tool.lineage import NEWEST_GUIDE, SOMEBODY, Lineage

HOSTILE = "</pre><script>alert(1)</script> | `x` \N{BALLOT X}"
MADE = (Step("generate", "pass", 1.0), Step("install", "pass", 4.0))
TESTED = [step for step in results.STEPS if step not in ("generate", "install")]


# ---- what pytest says, written down


PROBE = """
import pytest

@pytest.mark.contract("R1")
@pytest.mark.parametrize("framework", ["flask"])
def test_it_holds(framework): pass
@pytest.mark.contract("R2", "E1")
def test_it_breaks(): assert 1 == 2
@pytest.mark.fault
def test_nobody_asked(): pytest.skip("no database here")
@pytest.mark.xfail(reason="the server cannot", strict=True)
def test_a_limit(): assert False
@pytest.mark.xfail(reason="the server cannot", strict=True)
def test_a_limit_that_is_none(): pass
@pytest.fixture
def broken(): yield; raise RuntimeError("left open")
def test_its_end_breaks(broken): pass
"""


# Plugins that PROBE has no use for take longer to import than it takes to run.
ONLY_XDIST = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["one process", "two"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What the plugin writes of PROBE, by the name of the test."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "test_probe.py").write_text(PROBE)
    markers = "markers =\n  contract: lines\n  fault: breaks\n"
    (folder / "pytest.ini").write_text(f"[pytest]\n{markers}")
    record = folder / "record"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "nightly.recorder", "--record", str(record),
         *request.param, "--rootdir", str(folder), str(folder)],
        cwd=REPOSITORY, env=os.environ | ONLY_XDIST, capture_output=True, check=False,
    )  # fmt: skip
    lines = list(recorder.Reader(record).new())
    assert {line["total"] for line in lines if "total" in line} == {6}
    tests = [line for line in lines if "id" in line]
    assert len(tests) == 6, "each test is written once"
    return {test["id"].partition("::")[2]: test for test in tests}


@pytest.mark.parametrize(
    ("name", "state", "said"),
    [
        ("test_it_holds[flask]", "pass", ""),
        ("test_it_breaks", "fail", "assert 1 == 2"),
        ("test_nobody_asked", "skip", "no database here"),
        ("test_a_limit", "limit", "the server cannot"),
        ("test_a_limit_that_is_none", "fail", "XPASS(strict)"),
        ("test_its_end_breaks", "fail", "left open"),
    ],
)
def test_each_outcome_is_written_with_its_words(
    recorded: dict[str, dict[str, Any]], name: str, state: str, said: str
) -> None:
    assert recorded[name]["state"] == state
    assert said in recorded[name]["said"]
    assert bool(recorded[name]["said"]) == bool(said)


def test_a_test_says_what_it_is_about(recorded: dict[str, dict[str, Any]]) -> None:
    assert recorded["test_it_breaks"]["lines"] == ["E1", "R2"]
    assert recorded["test_it_holds[flask]"]["service"] == {"framework": "flask"}
    assert recorded["test_nobody_asked"]["step"] == "faults"
    assert recorded["test_it_holds[flask]"]["step"] == "contract"


def test_a_record_is_read_while_it_is_written(tmp_path: Path) -> None:
    record = tmp_path / "record"
    reader = recorder.Reader(record)
    assert list(reader.new()) == []
    record.write_text('{"total": 2}\n{"id": "a')
    assert list(reader.new()) == [{"total": 2}]
    with record.open("a") as more:
        more.write('"}\n')
    assert list(reader.new()) == [{"id": "a"}]
    assert list(reader.new()) == []


def test_the_time_of_what_ran_together_is_divided() -> None:
    def test(name: str, together: bool, seconds: float) -> dict[str, Any]:
        return {"id": name, "together": together, "seconds": seconds}

    tests = [test("a[x]", True, 60.0), test("a[y]", True, 0.0), test("b[x]", False, 5.0)]
    assert [t["seconds"] for t in results.shared_out(tests)] == [30.0, 30.0, 5.0]


# ---- what the last release made


@pytest.fixture
def checkout_of_three(lineage: Lineage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The nightly run in a checkout of small templates with two releases behind it."""
    root = lineage.repository
    monkeypatch.setattr(cells_, "REPOSITORY", root)
    monkeypatch.setattr(catalog, "PACKAGE", root / "scaffold")
    # The small templates have nothing to lock.
    monkeypatch.setattr(post_generate, "lock", lambda folder: (folder / "uv.lock").write_text(""))
    for variable, value in SOMEBODY.items():
        monkeypatch.setenv(variable, value)


def an_updated_cell(resources: str = "example") -> matrix.Cell:
    with sources.own_source() as source:
        before = matrix.before(source)
        known = catalog.load(source.root(source.newest))
        cells = matrix.cells(known, before)
    assert set(before) == {*WITH_TEMPLATE, *known.question("with").choices, "resources"}
    cell = next(
        c for c in cells if c.values["origin"] == "updated" and c.values["framework"] == "flask"
    )
    values = {**cell.values, "resources": resources, "tier": "standard"}
    return replace(cell, values=values, declared=known.declarations.get(resources, ()))


@pytest.mark.usefixtures("checkout_of_three")
@pytest.mark.parametrize("resources", [pytest.param("example", marks=pytest.mark.slow), "rich"])
def test_a_service_of_the_last_release_is_updated_to_what_a_fresh_one_is(
    tmp_path: Path, resources: str
) -> None:
    target = tmp_path / "service"
    cells_.update(an_updated_cell(resources), target)
    names = [one["name"] for one in record.read(target).answers["resources"]]
    assert names == (["item"] if resources == "example" else ["room", "booking", "invoice"])
    assert (target / "guide.md").read_text() == NEWEST_GUIDE
    assert (target / "tier.md").read_text() == "standard\n"
    history = cells_.run(["git", "log", "--format=%s"], target).split("\n")
    assert history[:2] == ["Update", "Start from the template"]
    assert cells_.run(["git", "status", "--porcelain"], target) == ""


@pytest.mark.usefixtures("checkout_of_three")
def test_an_update_that_ends_elsewhere_is_no_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = cells_.released

    def with_an_edit(*arguments: Any) -> None:
        released(*arguments)
        (arguments[-1] / "guide.md").write_text("Mine.\n")
        cells_.run(["git", "commit", "--quiet", "--all", "--message", "Mine"], arguments[-1])

    monkeypatch.setattr(cells_, "released", with_an_edit)
    made = cells_.make(an_updated_cell(), tmp_path)
    assert [(step.name, step.state) for step in made.steps] == [("generate", "fail")]
    assert made.steps[0].said


# ---- which sessions there are


@pytest.fixture(scope="module")
def cells(known: Catalog) -> list[matrix.Cell]:
    before = [*(framework.id for framework in known.frameworks), "resources"]
    return matrix.cells(known, before)


def made_of(cells: list[matrix.Cell]) -> list[Made]:
    return [Made(cell, Path("/nowhere") / cell.id, "", list(MADE), "/python") for cell in cells]


def test_every_service_has_each_part_of_its_proof_once(cells: list[matrix.Cell]) -> None:
    planned = sessions.plan(made_of(cells), jobs=2)
    for part in ("manifests", "contract", "faults", "alone", "image"):
        proven = [cell for s in planned if s.name.partition(",")[0] == part for cell in s.cells]
        assert sorted(proven) == sorted(cell.id for cell in cells), part


def test_what_measures_time_is_run_one_test_at_a_time(cells: list[matrix.Cell]) -> None:
    for session in sessions.plan(made_of(cells), jobs=2):
        assert ("-n" in session.arguments) != session.name.startswith("alone"), session.name


def test_a_session_has_one_service_of_a_framework_and_tests_it_where_it_lies(
    cells: list[matrix.Cell],
) -> None:
    for session in sessions.plan(made_of([*cells, *cells]), jobs=2):
        projects = [a for a in session.arguments if "=" in a]
        frameworks = [project.partition("=")[0] for project in projects]
        assert len(frameworks) == len(set(frameworks)), session.name
        if session.name.startswith(("contract", "faults", "alone")):
            assert len(projects) == len(session.cells)
            assert session.environment == {"TEST_PYTHON": "/python"}


def test_of_one_service_nothing_is_skipped_for_an_answer_that_it_does_not_have() -> None:
    """Without CI it has no pipeline; pytest would make a skip of each test of one."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/deployment", "--collect-only", "-q", "-m", "",
         "--framework", "flask", "--rendering", "flask-postgresql-none", "-p", "nightly.recorder"],
        cwd=REPOSITORY, env=os.environ | ONLY_XDIST, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "[flask-postgresql-none]" in done.stdout
    assert "NOTSET" not in done.stdout


def test_what_could_not_be_made_is_in_no_session(cells: list[matrix.Cell]) -> None:
    made = made_of(cells)
    made[0].steps[1] = Step("install", "fail", 1.0, "no solution")
    planned = sessions.plan(made, jobs=1)
    assert planned
    assert not [s.name for s in planned if made[0].cell.id in s.cells]


@pytest.mark.parametrize(("part", "step"), [("contract", "contract"), ("alone", "faults")])
def test_a_session_that_ends_without_a_test_is_a_failure(
    tmp_path: Path, part: str, step: str
) -> None:
    nothing = sessions.Session(
        f"{part}, sqlite", ("tests/contract", "--no-such-option"), ("x",), environment=ONLY_XDIST
    )
    (test,) = sessions.run(nothing, tmp_path / "log", lambda *_: None)
    assert (test["state"], test["step"]) == ("fail", step)
    assert "no-such-option" in test["said"]


# ---- what the results mean


def checks(state: str = "pass", said: str = "", leave_out: str = "") -> tuple[Check, ...]:
    """One check for each line and each step, but for the line that is left out."""
    steps = itertools.cycle(TESTED)
    return tuple(
        Check(f"tests/x.py::test_{line}_holds[a]", (line,), next(steps), state, 0.5, said, "run")
        for line in TITLES
        if line != leave_out
    )


def result(cell: matrix.Cell, *, of: tuple[Check, ...] | None = None) -> Result:
    return Result(
        cell.id,
        dict(cell.values),
        "2026-11-22T01:23:00+00:00",
        MADE,
        {"python": "3.12.1"},
        tuple(replace(c, run=f"on {cell.id}") for c in (checks() if of is None else of)),
    )


def run_of(found: list[Result], bites: tuple[Bite, ...] = ()) -> Run:
    wanted = tuple(one.cell for one in found)
    began = "2026-11-22T01:23:00+00:00"
    return Run(began, 60.0, "1.2.3", "abcdef", wanted, tuple(found), bites)


def one_changed(name: str, **changes: Any) -> tuple[Check, ...]:
    first, *others = checks()
    assert name in first.id
    return (replace(first, **changes), *others)


@pytest.mark.parametrize("state", ["fail", "skip"])
def test_a_service_holds_only_if_nothing_failed_or_was_skipped(
    cells: list[matrix.Cell], state: str
) -> None:
    assert result(cells[0]).holds
    assert not result(cells[0], of=one_changed("P1", state=state, said="why")).holds


def test_a_declared_limit_is_none_of_these(cells: list[matrix.Cell]) -> None:
    assert result(cells[0], of=one_changed("P1", state="limit", said="why")).holds


@pytest.mark.parametrize("line", TITLES)
def test_a_line_that_no_test_asked_for_does_not_hold(cells: list[matrix.Cell], line: str) -> None:
    lacking = result(cells[0], of=checks(leave_out=line))
    assert lacking.missing_lines == [line]
    assert not lacking.holds


@pytest.mark.parametrize("step", TESTED)
def test_a_step_that_nothing_was_asked_in_has_not_run(cells: list[matrix.Cell], step: str) -> None:
    other = next(name for name in TESTED if name != step)
    left = tuple(replace(c, step=other) if c.step == step else c for c in checks())
    lacking = result(cells[0], of=left)
    assert [s.name for s in lacking.steps if s.state == "not run"] == [step]
    assert not lacking.holds


def test_a_run_holds_only_if_every_cell_is_there_and_every_patch_was_caught(
    cells: list[matrix.Cell],
) -> None:
    whole = run_of([result(cell) for cell in cells])
    assert whole.holds
    assert not replace(whole, results=whole.results[1:]).holds
    assert not replace(whole, results=()).holds
    missed = Bite("flask", "R1", "no Location", False, "every test passed", 5.0)
    assert not replace(whole, bites=(missed,)).holds


def test_what_several_machines_left_is_one_run(cells: list[matrix.Cell], tmp_path: Path) -> None:
    for number, cell in enumerate(cells[:4]):
        folder = tmp_path / f"results-{number}"
        results.write(folder, result(cell))
        about = About("2026-11-22T01:23:00+00:00", 100.0 + number, "1", "abc", (cell.id,))
        results.write_about(folder, about)
    file = results.bites_file(tmp_path, ["flask"])
    outcome = dict.fromkeys(("framework", "line", "breaks", "by"), "x")
    outcome |= {"caught": True, "seconds": 1.0}
    file.write_text(json.dumps({"patches": 1, "outcomes": [outcome]}))
    run = results.gathered(tmp_path, ())
    assert run.holds
    assert {one.cell: one for one in run.results} == {c.id: result(c) for c in cells[:4]}
    assert run.seconds == 103.0
    assert not results.gathered(tmp_path, [cell.id for cell in cells]).holds, "cells are absent"


def test_a_run_that_was_ended_says_when_it_began_and_what_it_lacks(
    cells: list[matrix.Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(proving, "make_all", interrupted)
    before = datetime.now(UTC).replace(microsecond=0)
    with pytest.raises(KeyboardInterrupt):
        proving.prove(cells[:2], 1, tmp_path, None, Console(quiet=True))
    run = results.gathered(tmp_path, ())
    assert before <= datetime.fromisoformat(run.began) <= datetime.now(UTC)
    assert run.absent == [cell.id for cell in cells[:2]]
    assert not run.holds


def test_patches_that_were_not_come_to_are_missed_ones(tmp_path: Path) -> None:
    file = results.bites_file(tmp_path, ["flask"])
    outcome = dict.fromkeys(("framework", "line", "breaks", "by"), "x")
    outcome |= {"caught": True, "seconds": 1.0}
    file.write_text(json.dumps({"patches": 3, "outcomes": [outcome]}))
    assert len(results.gathered(tmp_path, ()).missed) == 2


# ---- what the page shows


class Page(HTMLParser):
    """What a browser would load, the tiles, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.tiles: dict[str, str] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.tags.append(tag)
        self.loaded += [given[key] for key in ("src", "href") if key in given]
        if tag == "button" and "tile" in given.get("class", ""):
            self.tiles[given["popovertarget"]] = given["class"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def names(known: Catalog) -> dict[str, str]:
    return report.names_of(known.frameworks)


@pytest.fixture(scope="module")
def broken(cells: list[matrix.Cell], names: dict[str, str]) -> report.Report:
    """All hold but the first, which failed at P1 with words that are no HTML."""
    bad = result(cells[0], of=one_changed("P1", state="fail", said=HOSTILE))
    missed = Bite("flask", "R1", "no Location", False, HOSTILE, 5.0)
    return report.Report(run_of([bad, *(result(c) for c in cells[1:])], (missed,)), names)


def test_the_page_has_a_tile_for_every_line_of_every_framework(broken: report.Report) -> None:
    tiles = Page(report.as_page(broken)).tiles
    frameworks = {result.values["framework"] for result in broken.run.results}
    assert set(tiles) == {f"{line}-{name}" for line in TITLES for name in frameworks}
    red = {name for name, classes in tiles.items() if "bad" in classes.split()}
    assert red == {f"P1-{broken.run.results[0].values['framework']}"}


def test_the_page_needs_nothing_beside_itself(broken: report.Report) -> None:
    html = report.as_page(broken)
    page = Page(html)
    assert [link for link in page.loaded if not link.startswith("data:")] == ["report.json"]
    assert {"script", "img", "iframe"} & set(page.tags) == set()
    assert not re.search(r"@import|url\(", html)


def test_what_a_test_said_is_shown_as_it_was_said(broken: report.Report) -> None:
    assert HOSTILE in Page(report.as_page(broken)).text
    summary = report.as_markdown(broken)
    assert "</pre>" not in summary
    assert "script" in summary


def test_the_three_say_the_same(broken: report.Report) -> None:
    data = report.as_json(broken)
    assert json.loads(json.dumps(data)) == data
    assert data["holds"] is False
    first = broken.run.results[0].values["framework"]
    assert data["lines"]["P1"]["frameworks"][first]["state"] == "fail"
    assert data["mutations"]["flask"]["missed"][0]["breaks"] == "no Location"
    assert (
        data["verdict"]
        == f"1 of {len(broken.run.results)} services does not hold, 1 patch was missed"
    )
    for text in (report.as_markdown(broken), Page(report.as_page(broken)).text):
        assert data["verdict"] in text
        assert "no Location" in text


def test_a_run_that_holds_says_so(cells: list[matrix.Cell], names: dict[str, str]) -> None:
    whole = report.Report(run_of([result(cell) for cell in cells]), names)
    assert whole.verdict == f"All {len(cells)} services hold every line"
    assert "### Failed" not in report.as_page(whole)
    rows = [line for line in report.as_markdown(whole).splitlines() if line.startswith("| P1 ")]
    assert rows == [f"| P1 {TITLES['P1']} |" + " \N{LARGE GREEN CIRCLE} |" * len(names)]


def test_nothing_that_was_run_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--results", str(tmp_path / "none"), "--report", str(tmp_path / "report")]
    monkeypatch.setattr(sys, "argv", ["nightly", "report", *folders])
    for variable, value in command.SOMEBODY.items():
        monkeypatch.setenv(variable, value)
    assert command.main() == 1
    said = capsys.readouterr()
    assert said.out.startswith("Nothing was run: ")
    assert said.err == ""
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<time" not in page
    assert json.loads((tmp_path / "report" / "report.json").read_text())["began"] is None


# ---- floors


def test_a_floor_is_raised_where_it_stands_and_never_lowered() -> None:
    text = (
        'dependencies = [\n    "flask>=3.1",\n    "psycopg[binary]>=3.2,<4",\n'
        '    "Types_WebOb>=1.8",\n    "kept>=9.0.1",\n    "unknown>=1.0",\n]\n'
        'requires = ["uv_build>=0.9,<1"]\n'
    )
    newest = {"flask": (3, 2, 5), "psycopg": (3, 3, 1), "types-webob": (2,), "kept": (8, 7)}
    raised, changes = floors.raised(text, newest)
    assert changes == [
        ("flask", "3.1", "3.2"),
        ("psycopg", "3.2", "3.3"),
        ("Types_WebOb", "1.8", "2"),
    ]
    assert '"psycopg[binary]>=3.3,<4",' in raised
    assert '"kept>=9.0.1",' in raised
    assert floors.raised(raised, newest) == (raised, [])


def test_of_releases_for_several_pythons_the_oldest_is_the_floor() -> None:
    text = (
        "django==5.2.9 ; python_full_version < '3.12'\n"
        "django==6.1.3 ; python_full_version >= '3.12'\nasgiref==3.11.0\n"
    )
    assert floors.read_resolved(text) == {"django": (5, 2, 9), "asgiref": (3, 11, 0)}


def test_every_floor_of_the_tool_and_the_templates_is_seen() -> None:
    found = {
        path.relative_to(REPOSITORY).as_posix(): len(floors.REQUIREMENT.findall(path.read_text()))
        for path in floors.files(REPOSITORY)
    }
    assert found["pyproject.toml"] > 20
    assert found["templates/shared/pyproject.toml.jinja"] == 22
    own = [name for name in found if "/project/" in name]
    assert len(own) == len(frameworks())
    assert all(found[name] for name in own)
