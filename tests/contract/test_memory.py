"""N9: in a cgroup of the manifest's limit, no number of large bodies has the service killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.bursts import read_answer
from tests.contract.conftest import Case, SideBySide
from tests.contract.items import ITEMS, create
from tests.contract.test_database_faults import liveness_watched
from tests.contract.test_shutdown import own_database
from tests.contract.wire import Address, request
from tests.servers import missing, wait_until
from tests.services import Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fault,
    pytest.mark.alone,
    pytest.mark.any_database,
    pytest.mark.contract("N9"),
]

MEBIBYTE = 1_048_576
BODIES = 300
SIZE = "deploy/kubernetes/overlays/production/size.yaml"
# The folder in which a group is made, and the file of its limit, in cgroup 1 and in cgroup 2.
GROUPS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))


def filled(start: bytes, piece: bytes, end: bytes) -> bytes:
    """A body of a mebibyte at the most."""
    return start + piece * ((MEBIBYTE - len(start) - len(end)) // len(piece)) + end


def many_keys(number: int, name: bytes) -> bytes:
    """A body of as many unknown fields."""
    return b"{" + b"".join(b'"%b":1,' % (name % one) for one in range(number)) + b'"name":"x"}'


PLAIN = filled(b'{"name": "x"', b" ", b"}")
LARGE = {
    "a long text": filled(b'{"name": "', b"x", b'"}'),
    "half a million numbers": filled(b'{"name": [1', b",1", b"]}"),
    "lists": filled(b'{"name": [[]', b",[]", b"]}"),
    "keys": many_keys(90_000, b"%x"),
    "as many objects as are parsed": filled(b'{"name": [1', b"," + b" " * 202 + b"{}", b"]}"),
    "as many keys as are parsed": many_keys(9_900, b"%099x"),
    "keys in a body that needs no place": many_keys(6_500, b"%x"),
}
"""By what they become in memory, which may be fifty times as much as is sent."""


def granted(project: Project) -> int:
    """The bytes that the manifest grants a replica."""
    text = (project.folder / SIZE).read_text()
    (mebibytes,) = re.findall(r"limits: \{memory: (\d+)Mi\}", text)
    return int(mebibytes) * MEBIBYTE


def new_group(limit: int) -> Path:
    """A cgroup whose processes get so many bytes together; a skip where none can be made."""
    for parent, name in GROUPS:
        group = Path(parent) / f"scaffold-{os.getpid()}"
        with contextlib.suppress(OSError):
            group.mkdir()
            with contextlib.suppress(OSError):
                (group / name).write_text(str(limit))
                return group
            group.rmdir()
    missing("no cgroup with a limit of memory may be made here")
    raise AssertionError("it has skipped or failed")


def is_removed(group: Path) -> bool:
    """Whether the group is gone; it is busy until the kernel is done with its processes."""
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


@contextlib.contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """A cgroup that lasts as long as the block."""
    group = new_group(limit)
    try:
        yield group
    finally:
        wait_until(lambda: is_removed(group), 10, "the cgroup is empty")


def kills(group: Path) -> int:
    """How many processes of the group the kernel has killed."""
    (file,) = (f for name in ("oom_control", "events") if (f := group / f"memory.{name}").exists())
    (number,) = re.findall(r"^oom_kill (\d+)$", file.read_text(), re.M)
    return int(number)


def sent_at_once(address: Address, body: bytes) -> Counter[int]:
    """The statuses of as many requests with the body; 0 for a connection that was cut."""

    async def one() -> int:
        try:
            reader, writer = await asyncio.open_connection(*address)
            async with asyncio.timeout(120):
                headers = [("Content-Type", "application/json")]
                writer.write(request("POST", ITEMS, headers, body))
                return await read_answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            return 0
        finally:
            with contextlib.suppress(UnboundLocalError):
                writer.close()

    async def main() -> list[int]:
        return await asyncio.gather(*(one() for _ in range(BODIES)))

    return Counter(asyncio.run(main()))


def large_bodies(case: Case) -> None:
    settings = {"DATABASE_URL": own_database(case).url}
    case.project.migrate(settings)
    with memory_group(granted(case.project)) as group:
        enter = f"echo $$ > {shlex.quote(str(group / 'cgroup.procs'))}"
        script = f"{enter} && exec {shlex.quote(case.project.executable)}"
        with case.project.service(settings, command=("sh", "-c", script)) as service:
            case.ready()
            create(service.http)
            with liveness_watched(service) as took:
                statuses = sent_at_once(service.address, PLAIN)
            assert set(statuses) <= {0, 201, 409, 413, 503}, statuses
            assert max(took) < 1, f"/livez took {max(took):.2f} s"
            for kind, body in LARGE.items():
                statuses = sent_at_once(service.address, body)
                assert kills(group) == 0, kind
                assert set(statuses) <= {0, 400, 413, 422, 503}, (kind, statuses)
                assert create(service.http).status_code == 201, "the service has recovered"


def test_three_hundred_large_bodies_at_once_are_within_the_memory_of_the_manifest(
    side_by_side: SideBySide,
) -> None:
    side_by_side(large_bodies, several=1)
