"""What `update`, `add`, `remove` and `check` tell a person, as text. Pure."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from scaffold.growing.grow import Grown
from scaffold.terminal.view import Terminal
from scaffold.updating.check import Checked
from scaffold.updating.update import Updated

HEADINGS = ("SERVICE", "FRAMEWORK", "VERSION", "NEWEST", "STATE")
SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def updated(terminal: Terminal, done: Updated) -> str:
    """What an update did: what changes in the service, its files, conflicts, what to do next."""
    if not done.files and done.diff is None and not done.conflicts:
        state = f"{_name(done.path)} is up to date ({done.after}). Nothing was changed."
        return "\n".join([*terminal.wrapped(state), *_warnings(terminal, done)])
    parts = [
        _changes(terminal, done),
        _files(terminal, done),
        _conflicts(terminal, done),
        _warnings(terminal, done),
        _next(terminal, done),
    ]
    title = f"{_name(done.path)}: {done.before} to {done.after}"
    lines = [terminal.style(title, "strong"), *(line for part in parts for line in part)]
    if done.diff is not None:
        lines += ["", "Nothing was written. It would change this:", "", done.diff.rstrip("\n")]
    return "\n".join(lines)


def grown(terminal: Terminal, done: Grown) -> str:
    """What was added or removed: its files, conflicts, what to do next."""
    parts = [
        _files(terminal, done),
        _conflicts(terminal, done),
        _warnings(terminal, done),
        _next(terminal, done),
    ]
    title = f"{_name(done.path)}: {done.message}"
    lines = [terminal.style(title, "strong"), *(line for part in parts for line in part)]
    if done.diff is not None:
        lines += ["", "Nothing was written. It would change this:", "", done.diff.rstrip("\n")]
    return "\n".join(lines)


def _name(path: Path) -> str:
    return path.resolve().name


def _changes(terminal: Terminal, done: Updated) -> Iterator[str]:
    if done.changes:
        yield from ("", terminal.style("What changes in your service", "strong"))
    for release in done.changes:
        yield f"  {release.version}"
        for item in release.items:
            yield from terminal.wrapped(item, "    ", "  - ")


def _files(terminal: Terminal, done: Updated | Grown) -> Iterator[str]:
    yield ""
    yield terminal.style(f"Files ({len(done.files)})", "strong")
    for file, how in done.files:
        yield f"  {SIGNS[how]} {file}"


def _conflicts(terminal: Terminal, done: Updated | Grown) -> Iterator[str]:
    if done.conflicts:
        yield from ("", terminal.style("Conflicts", "bad"))
    for conflict in done.conflicts:
        yield from terminal.wrapped(f"{conflict.file}: {conflict.why}", "    ", "  ! ")


def _warnings(terminal: Terminal, done: Updated | Grown) -> Iterator[str]:
    if done.warnings:
        yield from ("", terminal.style("Warnings", "strong"))
    for warning in done.warnings:
        yield from terminal.wrapped(warning, "    ", "  ")


def _next(terminal: Terminal, done: Updated | Grown) -> Iterator[str]:
    if done.diff is not None:
        return
    yield from ("", terminal.style("Next", "strong"))
    if done.conflicts:
        yield "  resolve each conflict, then `git add` (or `git rm`) the file"
    yield "  git diff --staged"
    yield "  uv run pytest"
    yield f"  git commit --all --message {shlex.quote(done.message)}"


# ---- check


def checked(terminal: Terminal, found: Sequence[Checked]) -> str:
    """A table with a line for each service, and below it the files that have drifted."""
    rows = [HEADINGS, *((str(one.path), *_cells(one)) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    narrow = sum(widths) + 2 * len(widths) > terminal.width
    lines = [terminal.style(_row(HEADINGS, widths), "strong")] if not narrow else []
    for one, row in zip(found, rows[1:], strict=True):
        lines += _block(row) if narrow else [_row(row, widths)]
        lines += [f"  {how:8} {file}" for file, how in one.drift or ()]
    return "\n".join([*lines, "", *terminal.wrapped(_sum(found))])


def _cells(one: Checked) -> tuple[str, str, str, str]:
    return one.framework, one.version, one.newest, _state(one)


def _state(one: Checked) -> str:
    if one.problem:
        return one.problem.splitlines()[0]
    words = ["behind"] if one.behind else []
    words += [f"{len(one.drift)} drifted"] if one.drift else []
    return ", ".join(words) or "up to date"


def _row(cells: Sequence[str], widths: Iterable[int]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _block(row: Sequence[str]) -> list[str]:
    """A row where the table is wider than the screen."""
    return [row[0], f"  {' '.join(filter(None, row[1:-1]))}".rstrip(), f"  {row[-1]}"]


def _sum(found: Sequence[Checked]) -> str:
    behind = sum(one.behind for one in found)
    drifted = sum(bool(one.drift) for one in found)
    failed = sum(one.problem is not None for one in found)
    unread = f", {failed} could not be checked" if failed else ""
    return f"{len(found)} checked: {behind} behind, {drifted} drifted{unread}."
