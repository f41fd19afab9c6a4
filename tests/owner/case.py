"""A change that an owner makes to a service, and what a client then sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.services import PACKAGE


@dataclass(frozen=True)
class Copy:
    """A file that is made from another one of the service, by its path in the project."""

    source: str
    edit: Callable[[str], str]

    def then(self, edit: Callable[[str], str]) -> Copy:
        """The same with one more edit."""
        return Copy(self.source, lambda text: edit(self.edit(text)))


Edit = str | Callable[[str], str] | Copy


@dataclass(frozen=True)
class Case:
    """One or more lines of the contract, shown by a change and by a question.

    `files` has the text of new files, copies of others, and functions that edit files which are
    there, by their paths in the project; `{package}` stands for the folder of the package.
    `packages` are installed beside the service's own.
    """

    line: str
    name: str
    files: Mapping[str, Edit] = field(default_factory=dict)
    ask: Callable[[httpx.Client], None] = lambda _: None
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def apply(self, project: Path) -> None:
        """Make the change in a project."""
        for name, edit in self.files.items():
            path = project / name.format(package=f"src/{PACKAGE}")
            path.parent.mkdir(parents=True, exist_ok=True)
            match edit:
                case str():
                    text = edit
                case Copy():
                    source = project / edit.source.format(package=f"src/{PACKAGE}")
                    text = edit.edit(source.read_text())
                case _:
                    text = edit(path.read_text())
            path.write_text(text)


def replaced(*pairs: tuple[str, str]) -> Callable[[str], str]:
    """An edit that replaces each text by another; every one of them has to be there."""

    def edit(text: str) -> str:
        for old, new in pairs:
            assert old in text, f"not in the file: {old!r}\n{text}"
            text = text.replace(old, new)
        return text

    return edit
