"""Show what was understood of a declaration, as a table that fits the terminal. rich only here."""

import io

from scaffold.resources.model import Resource
from scaffold.resources.understood import Row, understood
from scaffold.terminal.view import WIDEST, Terminal

ROOMY = 72  # columns from which the type and the modifiers have columns of their own


def table(terminal: Terminal, resource: Resource) -> str:
    """A line for each field: its name in JSON, its type, the rule for its values, its modifiers."""
    title = terminal.wrapped(f"{resource.name}, plural {resource.plural}", "  ")
    return "\n".join([*title, *_drawn(terminal, resource)])


def _drawn(terminal: Terminal, resource: Resource) -> list[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = min(terminal.width, WIDEST) - 1
    line = box.SIMPLE_HEAD if terminal.drawing else box.ASCII2
    drawn = Table(box=line, pad_edge=False, header_style="bold", highlight=False)
    roomy = terminal.width >= ROOMY
    for heading in ("field", "type", "values", "") if roomy else ("field", "values"):
        drawn.add_column(heading, overflow="fold")
    for row in understood([resource]):
        drawn.add_row(*(_cells(row) if roomy else _two_cells(row)))
    console = Console(
        file=io.StringIO(),
        width=width,
        color_system="standard" if terminal.colour else None,
        force_terminal=terminal.colour,
        legacy_windows=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as captured:
        console.print(drawn)
    return [text.rstrip() for text in captured.get().splitlines() if text.strip()]


def _cells(row: Row) -> tuple[str, str, str, str]:
    return row.field, row.type, row.rule, ", ".join(row.flags)


def _two_cells(row: Row) -> tuple[str, str]:
    return row.field, "; ".join(filter(None, (row.rule, ", ".join(row.flags))))
