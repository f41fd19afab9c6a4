"""A pytest plugin: of each test no more cases than it takes to see it fail.

A test that has failed once has been seen to fail: its other cases are left out. Where
``MUTATIONS_CASES`` names a file, the cases whose ids are its lines run, and no others.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Selection(), "mutations-selection")


class Selection:
    def __init__(self) -> None:
        self._failed: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if name_of(item.nodeid) in self._failed:
            pytest.skip("seen to fail")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(name_of(report.nodeid))

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if file := os.environ.get("MUTATIONS_CASES"):
            wanted = set(Path(file).read_text().splitlines())
            left_out = [item for item in items if item.nodeid not in wanted]
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item.nodeid in wanted]


def name_of(nodeid: str) -> str:
    """The name of a test function, of the id of one of its cases."""
    return nodeid.partition("::")[2].partition("[")[0]
