"""Which process of a run (pytest-xdist) gets which tests.

All tests of one service run in one process, since they share that service; the scenarios that
run for several services at once are one process's work, since each of them runs only once for
all its tests. Containers share the engine's store and the names of pods: one process runs them.
What the tests of a file share and is costly to make is made once: one process runs them.
Every other test goes wherever there is room.

pytest-xdist has ``--dist loadgroup`` for this, but its release 3.8 writes the group where
pytest 9.2 no longer looks: there every test was a group of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.services import frameworks

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

SIDE_BY_SIDE = (
    "test_busy.py",
    "test_database_faults.py",
    "test_load.py",
    "test_neighbours.py",
    "test_shutdown.py",
)
SHARING = (
    *(f"templates/test_{name}.py" for name in ("mutations", "rendered")),
    *(f"tool/test_{name}.py" for name in ("check", "nightly", "package", "sources", "update")),
)
CONTRACT = "tests/contract/"
CONTAINERS = tuple(
    f"tests/deployment/test_{name}.py" for name in ("containers", "publishing", "release")
)
SERVICE = rf"[\[-]((?:{'|'.join(frameworks())})(?:-sqlite|-postgresql)?)[-\]]"


def group_of(nodeid: str) -> str:
    """The group of a test; of the contract, what is named in ``[/livez-flask-sqlite]``."""
    path, _, test = nodeid.partition("::")
    if path.endswith(CONTAINERS):
        return "containers"
    if path.endswith(SHARING):
        return path
    if CONTRACT not in path:
        return nodeid
    if path.endswith(SIDE_BY_SIDE):
        return "side by side"
    service = re.search(SERVICE, test)
    return service[1] if service else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # the long scenarios begin early
    return GroupScheduling(config, log)
