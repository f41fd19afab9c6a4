"""Shows how far a run is: bars on a terminal, and a line for each finished part elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

Part = tuple[int, int, int]
"""Done, of how many, and how many of those done are no success."""


class Shown:
    """`parts` is how many parts the run has; each is shown while it runs, and told at its end."""

    def __init__(self, console: Console, parts: int) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, complete_style="green"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[bad]}", style="red"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            expand=True,
        )
        self._whole = self._bars.add_task("[bold]the whole", total=parts, bad="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    @contextmanager
    def part(self, name: str) -> Iterator[Running]:
        """One part, until the block ends."""
        running = Running(self._bars, name)
        try:
            yield running
        finally:
            running.end()
            self._bars.advance(self._whole)
            if not self._console.is_terminal:
                print(running.line, file=self._console.file, flush=True)


class Running:
    """A part that is on its way; call it with how far it is."""

    def __init__(self, bars: Progress, name: str) -> None:
        self._bars = bars
        self._name = name
        self._began = time.monotonic()
        self._seen: Part = (0, 0, 0)
        self._task = bars.add_task(name, total=None, bad="")

    def __call__(self, done: int, total: int, bad: int) -> None:
        self._seen = done, total, bad
        self._bars.update(
            self._task,
            completed=done,
            total=total or None,
            bad=f"{bad} ✕" if bad else "",
        )

    def end(self) -> None:
        done, _, _ = self._seen
        self._bars.update(self._task, total=done, completed=done)

    @property
    def line(self) -> str:
        done, _, bad = self._seen
        seconds = time.monotonic() - self._began
        return f"{self._name}: {done} done, {bad or 'none'} failed, {seconds:.0f} s"
