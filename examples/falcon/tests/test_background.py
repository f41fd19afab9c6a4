"""Background work: tasks and periodic jobs."""

import threading
import time
from collections.abc import Callable

import pytest

from stock_keeper.runtime import background
from stock_keeper.runtime.lifecycle import draining, on_start


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_task_does_not_hold_up_its_caller_and_its_error_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = threading.Event()
    done: list[str] = []

    def fail() -> None:
        release.wait(10)
        raise LookupError("no such letter")

    background.submit(fail)
    background.submit(done.append, "next")
    until(lambda: done == ["next"])
    release.set()
    until(lambda: "no such letter" in capsys.readouterr().out)


def test_a_job_runs_from_the_start_of_the_service_until_its_end() -> None:
    runs: list[int] = []

    def run() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise LookupError  # the next run takes place anyway

    background.every(0.01, run)
    start = on_start.pop()
    assert runs == []
    start()
    until(lambda: len(runs) > 2)
    draining.set()
    try:
        until(lambda: all(thread.name != "job" for thread in threading.enumerate()))
    finally:
        draining.clear()
