"""Several processes that serve as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stock_keeper.runtime import metrics, workers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv(workers.METRICS_FOLDER, raising=False)
    return tmp_path


def test_the_metrics_of_several_workers_have_a_folder_while_they_serve(folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    abandoned = folder / f"{workers._PREFIX}{ended.pid}-x"
    abandoned.mkdir()
    with workers.shared_metrics(2):
        (found,) = folder.iterdir()
        assert found != abandoned, "a service that was killed has left it"
        assert os.environ[workers.METRICS_FOLDER] == str(found)
        gauge = found / "gauge_livesum_7.db"
        gauge.touch()
        workers.forget(7)
        assert not gauge.exists()
    assert list(folder.iterdir()) == []


def test_one_worker_shares_nothing(folder: Path) -> None:
    with workers.shared_metrics(1):
        assert workers.METRICS_FOLDER not in os.environ
        assert list(folder.iterdir()) == []


def test_what_is_read_when_it_is_asked_for_is_shared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(workers.METRICS_FOLDER, str(folder))
    reads: list[str] = []

    def read(name: str, value: int) -> int:
        reads.append(name)
        return value

    metrics.watch_gauge("a_gauge", "A gauge.", lambda: read("gauge", 3))
    metrics.watch_counter("a_counter", "A counter.", lambda: read("counter", 5))
    assert metrics.text() == b"", "no worker has written anything"
    assert reads == ["gauge", "counter"]
    metrics._samples.clear()
