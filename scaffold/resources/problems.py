"""Collects what is wrong in a declaration, each problem with the place where it is."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from scaffold import escaping
from scaffold.errors import BadAnswers

MAX_PROBLEMS = 20  # reported at once


class Problems:
    """The problems of a declaration, reported together."""

    def __init__(self) -> None:
        self._messages: list[str] = []

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Record a BadAnswers that the block raises, and go on after the block."""
        try:
            yield
        except BadAnswers as problem:
            self._messages.append(f"{place}: {problem}")

    def raise_any(self) -> None:
        """Raise BadAnswers with a line for each problem, if there is one."""
        if not self._messages:
            return
        lines = self._messages[:MAX_PROBLEMS]
        if more := len(self._messages) - len(lines):
            lines = [*lines, f"And {more} more problem{'s' if more > 1 else ''}."]
        raise BadAnswers("\n".join(lines))


def resource_place(number: int, name: object = None) -> str:
    return f"Resource {number} {quote(name)}" if isinstance(name, str) else f"Resource {number}"


def field_place(resource: str, number: int, name: object = None) -> str:
    place = f"{resource}, field {number}"
    return f"{place} {quote(name)}" if isinstance(name, str) else place


def quote(value: object) -> str:
    """`value` in quotes on one printable line, cut if it is long."""
    return escaping.quote(value if isinstance(value, str) else repr(value))


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def suggest(word: str, known: Iterable[str], otherwise: str) -> str:
    """`Did you mean "name"?`, or else the sentence `otherwise`."""
    alike = get_close_matches(word.lower(), list(known), n=1)
    return f'Did you mean "{alike[0]}"?' if alike else otherwise
