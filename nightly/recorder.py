"""A pytest plugin that writes down each test as soon as it is over, as one line of JSON.

    pytest tests/contract -p nightly.recorder --record FILE

The first kind of line tells how many tests there will be, `{"total": 369}`; it may come again
with the same number. The other is a test:

    {"id": "tests/contract/test_create.py::test_x[flask-sqlite]", "lines": ["R1"],
     "service": {"framework": "flask", "database": "sqlite"}, "step": "contract",
     "together": false, "state": "pass", "seconds": 0.12, "said": ""}

`lines` are those of the contract that it proves, `service` what is known of the one it looks at
(nothing for a test of all), `together` whether it ran for several services at once. The states:
pass; limit, an expected failure that framework.toml declares; skip; fail. `said` is why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROPERTY = "proof"
LONGEST = 6000  # characters that a failure may say, its end
WORST_FIRST = ("fail", "skip", "limit", "pass")
STEPS = {
    "test_lint_has_nothing_to_say": "lint",
    "test_the_format_is_settled": "format",
    "test_the_types_are_strict": "types",
    "test_own_tests_cover_the_service": "own tests",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", default="", help="write each test to this file, a line each")


def pytest_configure(config: pytest.Config) -> None:
    on_a_worker = hasattr(config, "workerinput")
    if config.getoption("record") and not on_a_worker:
        config.pluginmanager.register(Recorder(Path(config.getoption("record"))), "recorder")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test is about goes with its reports, also from another process."""
    for item in items:
        item.user_properties.append((PROPERTY, json.dumps(about(item))))


def about(item: pytest.Item) -> dict[str, Any]:
    lines = {line for marker in item.iter_markers("contract") for line in marker.args}
    return {
        "lines": sorted(lines),
        "service": service_of(item),
        "step": step_of(item),
        "together": "side_by_side" in getattr(item, "fixturenames", ()),
    }


def service_of(item: pytest.Item) -> dict[str, str]:
    """The answers of the service that the test is given, as far as it is about one."""
    parameters = getattr(item, "callspec", None)
    values: dict[str, Any] = parameters.params if parameters else {}
    if target := values.get("target"):
        return {"framework": target.framework, "database": target.database}
    if rendering := values.get("rendering"):
        return dict(zip(("framework", "database", "ci"), rendering, strict=True))
    return {"framework": values["framework"]} if "framework" in values else {}


def step_of(item: pytest.Item) -> str:
    """The part of a cell's proof that the test belongs to."""
    if step := STEPS.get(item.name.partition("[")[0]):
        return step
    marked = {marker.name for marker in item.iter_markers()}
    if "deployment" in item.path.parts:
        return "image" if marked & {"container", "slow"} else "manifests"
    return "faults" if marked & {"fault", "slow"} else "contract"


class Recorder:
    """Puts the phases of each test together, and writes it when the last of them is over."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._open: dict[str, dict[str, Any]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._write({"total": len(session.items)})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._write({"total": len(ids)})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self._open.setdefault(report.nodeid, started(report))
        state, said = judged(report)
        if WORST_FIRST.index(state) < WORST_FIRST.index(test["state"]):
            test |= {"state": state, "said": said}
        test["seconds"] = round(test["seconds"] + report.duration, 3)
        if report.when == "teardown":
            self._write(self._open.pop(report.nodeid))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            failed = {"lines": [], "service": {}, "step": "contract", "together": False}
            said = str(report.longrepr)[-LONGEST:]
            self._write(
                {"id": report.nodeid, **failed, "state": "fail", "seconds": 0, "said": said}
            )

    def pytest_sessionfinish(self) -> None:
        """A test whose process died has no last phase."""
        for test in self._open.values():
            self._write(test)

    def _write(self, line: dict[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def started(report: pytest.TestReport) -> dict[str, Any]:
    properties = dict(report.user_properties)
    nothing = {"lines": [], "service": {}, "step": "contract", "together": False}
    known = json.loads(str(properties[PROPERTY])) if PROPERTY in properties else nothing
    return {"id": report.nodeid, **known, "state": "pass", "seconds": 0.0, "said": ""}


def judged(report: pytest.TestReport) -> tuple[str, str]:
    """The state that a phase gives its test, and why."""
    if hasattr(report, "wasxfail"):
        expected = str(report.wasxfail).removeprefix("reason: ")
        return ("limit", expected) if report.skipped else ("fail", f"it passes, though: {expected}")
    if report.failed:
        return "fail", report.longreprtext[-LONGEST:]
    if report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        return "skip", why.removeprefix("Skipped: ")
    return "pass", ""


class Reader:
    """Reads a record while it is being written: each line once, as soon as it is complete."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The lines since the last time."""
        if not self._file.exists():
            return
        with self._file.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                yield json.loads(line)
