"""Whoever keeps many services sees which are behind, and which have drifted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.servers import wait_until
from tests.services import frameworks
from tests.tool.conftest import REPOSITORY
from tests.tool.lineage import FIRST, SECOND, THIRD, Lineage, Owned, git
from tests.tool.test_cli import tree


@pytest.fixture
def services(lineage: Lineage, made: Path, tmp_path: Path) -> Owned:
    """Both services in a folder where the second release is installed."""
    shutil.copytree(made, tmp_path / "services")
    return Owned(tmp_path / "services", lineage[SECOND])


def test_a_service_as_it_was_made_is_fine(services: Owned) -> None:
    ran = services.run("check", SECOND, "--json")
    assert ran.code == 0
    assert ran.json == {
        "services": [
            {
                "path": SECOND,
                "framework": "flask",
                "version": f"v{SECOND}",
                "newest": f"v{SECOND}",
                "behind": False,
                "drift": [],
                "problem": None,
            }
        ]
    }


def test_drift_is_counted_from_the_release_that_the_service_was_made_from(services: Owned) -> None:
    """So a service that is only behind has not drifted."""
    ran = services.run("check", FIRST, "--json")
    assert ran.code == 5
    (one,) = ran.json["services"]
    assert (one["version"], one["newest"], one["behind"]) == (f"v{FIRST}", f"v{SECOND}", True)
    assert one["drift"] == []


def test_drift_names_what_was_changed_or_removed_and_not_what_was_added(services: Owned) -> None:
    folder = services.folder / SECOND
    (folder / "README.md").write_text("# The owner's\n")
    (folder / "guide.md").unlink()
    (folder / "own.md").write_text("New.\n")
    ran = services.run("check", SECOND, "--json")
    assert ran.code == 5
    assert ran.json["services"][0]["drift"] == [
        {"file": "README.md", "how": "changed"},
        {"file": "guide.md", "how": "missing"},
    ]


def test_line_ends_of_another_system_are_no_drift(services: Owned) -> None:
    guide = services.folder / SECOND / "guide.md"
    guide.write_bytes(guide.read_bytes().replace(b"\n", b"\r\n"))
    assert services.run("check", SECOND).code == 0


def test_an_update_leaves_only_the_owners_own_drift(
    lineage: Lineage, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made / FIRST, tmp_path / "my-svc")
    service = Owned(tmp_path / "my-svc", lineage[THIRD])
    git(service.folder, "init", "--quiet")
    service.edit({"README.md": "# The owner's\n"})
    assert service.update("--tier", "critical").code == 0
    (one,) = service.run("check", ".", "--json").json["services"]
    assert (one["behind"], one["drift"]) == (False, [{"file": "README.md", "how": "changed"}])


def test_versions_alone_compare_no_files(services: Owned) -> None:
    (services.folder / SECOND / "README.md").write_text("# The owner's\n")
    ran = services.run("check", SECOND, "--versions", "--json")
    assert (ran.code, ran.json["services"][0]["drift"]) == (0, None)
    assert services.run("check", FIRST, "--versions").code == 5


def test_the_table_has_a_line_for_each_service_and_what_drifted_below_it(services: Owned) -> None:
    (services.folder / SECOND / "README.md").write_text("# The owner's\n")
    ran = services.run("check", FIRST, SECOND, COLUMNS="100")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["SERVICE", "FRAMEWORK", "VERSION", "NEWEST", "STATE"]
    assert lines[1] == [FIRST, "flask", f"v{FIRST}", f"v{SECOND}", "behind"]
    assert lines[2] == [SECOND, "flask", f"v{SECOND}", f"v{SECOND}", "1", "drifted"]
    assert lines[3] == ["changed", "README.md"]
    assert ran.out.splitlines()[-1] == "2 checked: 1 behind, 1 drifted."


def test_the_table_fits_a_narrow_terminal(services: Owned) -> None:
    ran = services.run("check", FIRST, SECOND, COLUMNS="40")
    assert max(map(len, ran.out.splitlines())) <= 40
    assert f"v{FIRST}" in ran.out


def test_one_folder_that_is_no_service_does_not_hide_the_others(services: Owned) -> None:
    (services.folder / "empty").mkdir()
    ran = services.run("check", "empty", FIRST, "absent", "--json")
    assert ran.code == 3
    empty, behind, absent = ran.json["services"]
    assert "not a service" in empty["problem"]
    assert "not a service" in absent["problem"]
    assert (behind["behind"], behind["problem"]) == (True, None)


def test_a_service_of_a_newer_release_is_said_to_be_so(services: Owned) -> None:
    answers = services.folder / SECOND / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(SECOND, THIRD))
    ran = services.run("check", SECOND, "--json")
    assert ran.code == 3
    assert f"v{THIRD}" in ran.json["services"][0]["problem"]


def test_a_check_writes_nothing(services: Owned) -> None:
    before = tree(services.folder)
    services.run("check", FIRST, SECOND)
    assert tree(services.folder) == before


def test_a_check_of_versions_needs_no_git(services: Owned, tmp_path: Path) -> None:
    (tmp_path / "no-programs").mkdir()
    ran = services.run("check", FIRST, SECOND, "--versions", PATH=str(tmp_path / "no-programs"))
    assert ran.code == 5
    assert "2 checked: 1 behind, 0 drifted." in ran.out


FEW = [("flask", "github"), ("falcon", "none")]
ALL = [(one, ci) for one in frameworks() for ci in ("github", "none")]


@pytest.mark.parametrize(
    "made_of", [FEW, pytest.param(ALL, marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_rendering_many_gives_the_same_bytes_as_rendering_one(
    tmp_path: Path, made_of: list[tuple[str, str]]
) -> None:
    """What a process keeps of compiled templates never reaches another service."""
    program = (
        "import json, sys, pathlib\n"
        "from scaffold.answers import answers\n"
        "from scaffold.catalog import catalog\n"
        "from scaffold.making import render\n"
        "known, folder = catalog.load(), pathlib.Path(sys.argv[1])\n"
        "def make(kind):\n"
        "    for framework, ci in json.loads(sys.argv[2]):\n"
        "        name = f'svc-{ci}'\n"
        "        given = {'name': name, 'framework': framework, 'ci': ci}\n"
        "        complete = answers.complete(known, given)\n"
        "        render.render(known.root, complete, folder / kind / framework / ci)\n"
        "make('plain')\n"
        "render.compile_once()\n"
        "make('first')\n"
        "make('again')\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path), json.dumps(made_of)]
    subprocess.run(words, cwd=REPOSITORY, check=True, timeout=120)
    plain, first, again = (tree(tmp_path / kind) for kind in ("plain", "first", "again"))
    assert len(plain) > 40 * len(made_of)
    assert plain == first == again


def rendering(folder: Path, _process: psutil.Process) -> bool:
    return any(folder.glob("scaffold-*/service/guide.md"))


def two_processes_just_begun(_folder: Path, process: psutil.Process) -> bool:
    return len(process.children()) > 1


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (rendering, signal.SIGINT),
        (two_processes_just_begun, signal.SIGTERM),
        pytest.param(rendering, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(two_processes_just_begun, signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_an_interruption_ends_a_long_check_at_once_and_without_noise(
    lineage: Lineage,
    made: Path,
    tmp_path: Path,
    moment: Callable[[Path, psutil.Process], bool],
    number: signal.Signals,
) -> None:
    """It reaches every process of the terminal, also those that look for drift."""
    names = [f"service-{place}" for place in range(60)]
    for name in names:
        shutil.copytree(made / FIRST, tmp_path / name, copy_function=os.link)
    tool = lineage[SECOND]
    running = subprocess.Popen(
        [*tool.command, "check", "--jobs", "2", *names],
        cwd=tmp_path,
        env=tool.environment | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    process = psutil.Process(running.pid)
    wait_until(lambda: moment(tmp_path, process), 60, "the moment")
    os.killpg(running.pid, number)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err.strip() == "scaffold: Interrupted."
    assert not list(tmp_path.glob("scaffold-*"))
