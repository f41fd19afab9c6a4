"""Adding costs little more than generating."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.growing.services import NAME, Service
from tests.services import REPOSITORY, plain_environment
from tests.tool.lineage import SOMEBODY

MOST_TIMES = 2.5
RUNS = 5


def cpu_seconds(folder: Path, *arguments: str) -> float:
    """What the command and all that it starts take of the processors."""
    environment = plain_environment() | SOMEBODY | {"PYTHONPATH": str(REPOSITORY)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-P", "-m", "scaffold", *arguments, "--no-lock"],
        cwd=folder,
        env=environment | {"HOME": os.devnull},
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.slow
def test_adding_a_resource_costs_at_most_two_and_a_half_times_a_new_service(
    template: Service, tmp_path: Path
) -> None:
    """The least of some runs each, in turn, since what else the machine does only adds."""
    declared = ("--resource", "room name:str", "--resource", "booking room:ref")
    new, added = [], []
    for number in range(RUNS):
        folder = tmp_path / str(number)
        folder.mkdir()
        new.append(
            cpu_seconds(folder, "new", NAME, "--framework", "flask", "--defaults", *declared)
        )
        copy = Path(shutil.copytree(template.folder, folder / "copy"))
        added.append(cpu_seconds(copy, "add", "resource", "guest email:email"))
    print(f"new {min(new):.2f} s, add {min(added):.2f} s, {min(added) / min(new):.2f} times")
    assert min(added) <= MOST_TIMES * min(new)
