"""Which services are behind their templates, and with which files they have drifted from them."""

import os
import signal
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.catalog import ownership, record, sources
from scaffold.catalog.record import ANSWERS_FILE, Origin, Record
from scaffold.catalog.settings import Place
from scaffold.catalog.sources import Source
from scaffold.errors import ProgramFailed, UserError
from scaffold.processes import no_interruption

MISSING, CHANGED = "missing", "changed"
CHUNK = 4  # services that are handed to a process at once
UNLIMITED = 1_000_000
# The files in which the two versions of control groups have a quota and its period.
QUOTAS = (
    ("/sys/fs/cgroup/cpu.max",),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)
INTERRUPTIONS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@dataclass(frozen=True)
class Checked:
    """What was found of the service in `path`.

    `drift` are pairs of a file and how it differs from what the template gave: `changed` or
    `missing`; None where it was not looked for. `problem` says why nothing could be found.
    """

    path: Path
    framework: str = ""
    version: str = ""
    newest: str = ""
    behind: bool = False
    drift: Sequence[tuple[str, str]] | None = None
    problem: str | None = None


@dataclass(frozen=True)
class _Task:
    """What is rendered again to see the drift of a service: its record, by the templates here."""

    checked: Checked
    made: Record
    root: Path


def check(
    folders: Iterable[Path], configured: Place | None, drift: bool, jobs: int | None = None
) -> Iterator[Checked]:
    """What is found of each of `folders`, in their order.

    `jobs` processes look for drift, by default one for each usable core. A source that services
    name is opened once for all of them.
    """
    with ExitStack() as stack:
        look = _Look(stack, configured, drift)
        found = [look.at(folder) for folder in folders]
        tasks = sum(isinstance(one, _Task) for one in found)
        pool = _pool(min(jobs or usable_cores(), tasks))
        if pool is None:
            yield from _one_by_one(found, tasks)
        else:
            stack.enter_context(pool)
            with no_interruption():
                results = pool.map(_finished, found, chunksize=CHUNK)
            yield from results


def usable_cores() -> int:
    """The cores that this process may use: a container sees more than it is granted."""
    try:
        seen = len(os.sched_getaffinity(0))
    except AttributeError:
        seen = os.cpu_count() or 1
    return min([seen, *map(_granted, QUOTAS)])


def _granted(files: tuple[str, ...]) -> int:
    """The cores that a control group grants, rounded up; UNLIMITED if it sets no limit."""
    try:
        quota, period = " ".join(Path(file).read_text() for file in files).split()
        return -(-int(quota) // int(period)) if int(quota) > 0 else UNLIMITED
    except (OSError, ValueError):  # there is none, or it is "max"
        return UNLIMITED


def _pool(count: int) -> ProcessPoolExecutor | None:
    """`count` processes; None if there is no need for them, or the system has no means for them."""
    if count < 2:
        return None
    try:
        return ProcessPoolExecutor(count, initializer=_prepare)
    except (ImportError, OSError):  # no semaphores, or no room for them
        return None


def _one_by_one(found: Sequence[Checked | _Task], tasks: int) -> Iterator[Checked]:
    if tasks > 1:
        from scaffold.making import render

        render.compile_once()
    yield from map(_finished, found)


class _Look:
    """Reads records and asks sources, each of which is opened once."""

    def __init__(self, stack: ExitStack, configured: Place | None, drift: bool) -> None:
        self._stack = stack
        self._configured = configured
        self._drift = drift
        self._sources: dict[str, Source | UserError] = {}

    def at(self, folder: Path) -> Checked | _Task:
        """The version of the service in `folder`; with what is left to do for its drift."""
        try:
            made = record.read(folder)
            source = self._source(made.origin)
            checked = _compared(folder, made, source)
            root = source.root(made.origin.revision) if self._drift else None
        except (UserError, ProgramFailed) as error:
            return Checked(folder, problem=str(error))
        return _Task(checked, made, root) if root else checked

    def _source(self, origin: Origin) -> Source:
        if origin.address not in self._sources:
            self._sources[origin.address] = self._opened(origin)
        source = self._sources[origin.address]
        if isinstance(source, UserError):
            raise source
        return source

    def _opened(self, origin: Origin) -> Source | UserError:
        """The source, or why it cannot be read: asked once, however many services name it."""
        try:
            place = sources.place_of(origin, self._configured)
            source = self._stack.enter_context(sources.opened(place))
            source.newest  # noqa: B018 - reads it
        except UserError as error:
            return error
        return source


def _compared(folder: Path, made: Record, source: Source) -> Checked:
    return Checked(
        folder,
        framework=made.answers.get("framework", ""),
        version=made.origin.revision,
        newest=source.newest,
        behind=source.is_behind(made.origin.revision),
    )


def _prepare() -> None:
    """At the start of a process that renders many services."""
    for number in INTERRUPTIONS:  # are for the process that waits for it, and ends it
        signal.signal(number, signal.SIG_IGN)
    from scaffold.making import render

    render.compile_once()


def _finished(one: Checked | _Task) -> Checked:
    """Runs in a process of its own."""
    if isinstance(one, Checked):
        return one
    try:
        return replace(one.checked, drift=tuple(_drift(one)))
    except (UserError, OSError) as error:
        return replace(one.checked, problem=str(error))


def _drift(task: _Task) -> Iterator[tuple[str, str]]:
    """The files that the template maintains and that are not as it gave them.

    What the owner added, and what is the owner's to change, is no drift.
    """
    from scaffold.making import render

    owner = ownership.of(task.root)

    with tempfile.TemporaryDirectory(prefix="scaffold-") as name:
        folder = Path(name) / "service"
        render.render(task.root, task.made.answers, folder, task.made.origin)
        for file in render.files_in(folder):
            found = task.checked.path / file
            if file == ANSWERS_FILE or owner.is_owned(file):
                continue
            if not found.is_file():
                yield file, MISSING
            elif _text(found) != _text(folder / file):
                yield file, CHANGED


def _text(file: Path) -> bytes:
    """What is in `file`; git may have given it the line ends of this system."""
    return file.read_bytes().replace(b"\r\n", b"\n")
