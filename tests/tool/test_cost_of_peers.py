"""The arithmetic of what is measured beside other generators; none of them is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import peers as bench
from benchmarks.serving import s3rius as beside
from benchmarks.serving.figures import Sample
from docs import first_tests, peers, s3rius

MACHINE = {"cpu": "A", "cores": 2, "memory_gb": 8, "kernel": "6.1"}
BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
OUTLIVED = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}],"
    " start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
)


def tool(cpu: float, missing: list[str] | None) -> dict[str, Any]:
    return {
        "version": "1.0",
        "help_cpu_seconds": 0.123,
        "generate_cpu_seconds": cpu,
        "generate_seconds": 2 * cpu,
        "files": 5,
        "lines": 1234,
        "missing_offline": missing,
    }


def record() -> dict[str, Any]:
    return {
        "date": "2026-11-22",
        "machine": MACHINE,
        "load": 0.5,
        "python": "3.12.1",
        "node": "",
        "runs": 3,
        "tools": {
            "slow": tool(9.0, ["environment", "lock"]),
            "quick": tool(0.5, []),
            "lame": tool(2.0, ["everything"]),
            "unknown": tool(3.0, None),
        },
    }


def test_the_table_has_every_tool_the_cheapest_first() -> None:
    assert list(peers.told(record()))[-4:] == [
        "| quick | 1.0 | 0.12 | 0.50 (1.0) | 5 | 1,234 | yes |",
        "| lame | 1.0 | 0.12 | 2.00 (4.0) | 5 | 1,234 | no |",
        "| unknown | 1.0 | 0.12 | 3.00 (6.0) | 5 | 1,234 | not tried |",
        "| slow | 1.0 | 0.12 | 9.00 (18.0) | 5 | 1,234 | without environment, lock |",
    ]


def test_the_least_of_the_runs_is_kept_of_each_clock() -> None:
    spent = bench.Spent()
    spent.take(2.0, 9.0)
    spent.take(3.0, 4.0)
    assert (spent.cpu, spent.clock) == (2.0, 4.0)


def test_what_a_command_leaves_running_is_counted(tmp_path: Path) -> None:
    script = OUTLIVED.format(child=BURN.format(seconds=0.4))
    assert float(measured("peers.adopt_orphans()", script, tmp_path)) >= 0.4


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        measured("", "raise SystemExit(3)", tmp_path)
    assert "Failed" in caught.value.stderr
    assert "exit 3" in caught.value.stderr


def measured(first: str, script: str, folder: Path) -> str:
    """The CPU seconds of a script; in a process of its own, as it is to end every child it has."""
    run = f"peers.run([sys.executable, '-c', {script!r}], Path({str(folder)!r}), os.environ)"
    words = (
        "import os, sys; from pathlib import Path; from benchmarks import peers\n"
        f"{first}\nprint({run}[0])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", words],
        cwd=bench.REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_what_installing_and_committing_leave_is_not_the_project(tmp_path: Path) -> None:
    for name in ("app.py", ".git/refs/heads/main", ".venv/lib/x.py", "uv.lock"):
        (tmp_path / "svc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "svc" / name).write_text("1\n2\n")
    assert list(bench.project_files(tmp_path)) == [("svc/app.py", 2)]
    assert bench.done(tmp_path) == {"lock", "first commit"}


def compared(times: float) -> dict[str, Any]:
    figures = {"rps": 1000.0, "cpu_us": 500.0, "p50_ms": 1.5, "p99_ms": 9.0}
    return {
        "date": "2026-11-22",
        "machine": MACHINE,
        "load": 0.5,
        "python": "3.12.1",
        "tools": {"wrk": "4.1.0"},
        "version": "6.1.2",
        "versions": {"own": {"fastapi": "1"}, "peer": {"fastapi": "2"}},
        "seconds": 3,
        "rounds": 5,
        "memory_mb": {"own": 100.0, "peer": 70.5},
        "requests": {
            request: {"peer path": path, "own": figures, "peer": figures, "times": times}
            for request, (path, _) in beside.PAIRS.items()
        },
    }


@pytest.mark.parametrize(("times", "met"), [(4.0, True), (3.99, False)])
def test_ours_has_to_answer_four_times_as_often(times: float, met: bool) -> None:
    assert s3rius.goal(compared(times)).met is met
    lines = list(s3rius.told(compared(times)))
    assert sum(line.startswith("| `GET /v1/items") for line in lines) == len(beside.PAIRS)
    assert lines[-1] == "- Theirs, of FastAPI-template 6.1.2: 70.5 MB after the load; fastapi 2."


def test_a_goal_that_is_missed_comes_with_what_a_bare_service_would_reach() -> None:
    missed = "\n".join(s3rius.told(compared(3.0), kept=0.8))
    assert "answers 1.25 times as often as ours, which comes to 3.75 times theirs" in missed
    assert "bare" not in "\n".join(s3rius.told(compared(4.0), kept=0.8))
    assert "bare" not in "\n".join(s3rius.told(compared(3.0), kept=None))


def test_how_many_times_is_the_median_of_the_rounds() -> None:
    def sample(rps: float) -> Sample:
        return Sample(cpu_us=1, rps=rps, p50_ms=1, p99_ms=1)

    rounds = [(sample(100), sample(50)), (sample(90), sample(30)), (sample(50), sample(10))]
    assert beside.times(rounds) == 3.0
    assert beside.times(rounds[:2]) == 2.5


def test_the_database_of_the_other_service_is_named_in_its_own_words() -> None:
    found = beside.Generated(Path("/x"), "1").environment("postgresql://svc:secret@h:1/peer")
    assert {name: value for name, value in found.items() if "_DB_" in name} == {
        "MY_SVC_DB_HOST": "h",
        "MY_SVC_DB_PORT": "1",
        "MY_SVC_DB_USER": "svc",
        "MY_SVC_DB_PASS": "secret",
        "MY_SVC_DB_BASE": "peer",
    }


def test_the_first_tests_have_a_goal_that_names_who_misses_it() -> None:
    met = first_tests.goal({"Flask": 20.0, "Sanic": 9.5})
    assert str(met).endswith("at most 20 s: 2 of 2, the slowest is Flask with 20.0 s")
    missed = first_tests.goal({"Flask": 20.1, "Sanic": 9.5})
    assert not missed.met
    assert missed.found == "Flask 20.1 s"


def test_the_first_tests_have_a_line_for_each_framework() -> None:
    of = {"new_seconds": 2.0, "tests_seconds": 9.04, "seconds": 11.0, "tests": 61}
    found = {**record(), "frameworks": {"sanic": of, "flask": of}}
    lines = list(first_tests.told(found))
    assert lines[-2:] == ["| Flask | 2.0 | 61 | 9.0 | 11.0 |", "| Sanic | 2.0 | 61 | 9.0 | 11.0 |"]
