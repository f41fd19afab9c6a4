"""WORKERS: several processes that serve one address and share metrics."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .. import NAME
from .settings import SettingsError

# Read by prometheus_client when it is imported.
METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX: Final = f"{NAME}-metrics-"


@contextmanager
def shared_metrics(workers: int) -> Iterator[None]:
    """A temporary folder for the metrics of several workers, while they serve.

    Enter it before prometheus_client is imported.
    """
    os.environ.pop(METRICS_FOLDER, None)
    if workers == 1:
        yield
        return
    _remove_abandoned()
    try:
        folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    except OSError as error:
        raise SettingsError(f"WORKERS: more than 1 need a temporary folder: {error}") from None
    os.environ[METRICS_FOLDER] = folder
    parent = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == parent:  # not a worker that was forked
            shutil.rmtree(folder, ignore_errors=True)


def forget(pid: int) -> None:
    """Remove the gauges of a worker that has died; its counters stay."""
    # Imported here because it reads the variable.
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _remove_abandoned() -> None:
    """Remove the folders of services that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError, ValueError):
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
