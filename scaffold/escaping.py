"""Values and paths as a message may show them: on one line, with nothing that a terminal obeys."""

from os import PathLike
from pathlib import Path


def escape(text: str) -> str:
    """`text` with an escape in place of whatever cannot be printed, such as a line break."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quote(value: str, longest: int = 60) -> str:
    """`value` in quotes, cut when long."""
    cut = value if len(value) <= longest else value[:longest] + "..."
    return f'"{escape(cut)}"'


def quote_path(path: str | PathLike[str]) -> str:
    """`path` as it is where that can be printed, else in quotes."""
    text = str(Path(path))
    return text if text.isprintable() else f'"{escape(text)}"'
