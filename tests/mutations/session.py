"""A run of pytest in a process of its own, forked from one that has the libraries in memory.

To import them takes as long as many a test; a thousand runs need it once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "httpx", "prometheus_client.parser", "psutil", "psycopg"])
LONGEST_SECONDS = 600


def pytest_says(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """All that pytest prints, started in a folder with some more environment."""
    with tempfile.NamedTemporaryFile() as output:
        process = CONTEXT.Process(target=_run, args=(arguments, folder, environment, output.name))
        process.start()
        process.join(LONGEST_SECONDS)
        if process.is_alive():  # as by Ctrl-C: what the tests have started is ended too
            os.kill(process.ident or 0, signal.SIGINT)
        process.join()
        return Path(output.name).read_text(errors="replace")


def _run(arguments: list[str], folder: Path, environment: Mapping[str, str], output: str) -> None:
    os.chdir(folder)
    os.environ.update(environment)
    printed = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(printed, stream)
    sys.exit(pytest.main(arguments))
