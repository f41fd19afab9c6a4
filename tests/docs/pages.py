"""A page of documentation as what it asks a reader to do.

A block of code is run, applied, written or read, by its language and by the comment above it:

    ```console                     each line after `$ ` is typed, and has to succeed; the lines
                                   below it are what it prints. `...` stands for any text, alone on
                                   a line for any lines. A command that shows nothing may print what
                                   it likes. `$ echo $?` below a command shows how that one failed.
    <!-- serves -->                the last command of the block goes on while the page goes on
    <!-- press Enter at every prompt -->
                                   the first command is typed at a terminal, and Enter until it ends
    <!-- file: NAME -->            what stands in the block is written to this file
    <!-- from: NAME -->            it is a part of this file of the repository, word for word
    ```diff                        a change to make by hand: applied to the folder one is in
    <!-- not run: WHY -->          for what no test can run
    ```json, yaml, toml, python    is read by its language's own parser
    ```text                        is shown, and no more
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services import REPOSITORY

DOCUMENTATION = REPOSITORY / "docs"
FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*) -->\n\n?)?^```(?P<language>[^\n]*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
ANY = "..."


@dataclass(frozen=True)
class Block:
    """A block of code of a page; `note` is the comment above it, `line` where it begins."""

    language: str
    body: str
    note: str
    line: int

    def noted(self, key: str) -> str | None:
        """What the comment above it says after `key: `."""
        name, found, value = self.note.partition(": ")
        return value if found and name == key else None

    @property
    def commands(self) -> list[Command]:
        return list(commands_in(self.body))


@dataclass(frozen=True)
class Command:
    """A line that is typed, and the lines that it prints; none where they are not shown."""

    typed: str
    shown: tuple[str, ...]

    def prints(self, output: str) -> bool:
        """Whether `output` is what the page shows."""
        if not self.shown:
            return True
        lines = [line.rstrip() for line in output.strip("\n").splitlines()]
        return bool(re.fullmatch(pattern_of(self.shown), "".join(f"{line}\n" for line in lines)))


def pages() -> list[Path]:
    """Every page that is written for readers, the README first."""
    found = [REPOSITORY / "CONTRIBUTING.md", *sorted(DOCUMENTATION.rglob("*.md"))]
    built = DOCUMENTATION / "_build"
    found += sorted((REPOSITORY / "skills").rglob("*.md"))
    return [REPOSITORY / "README.md", *(page for page in found if built not in page.parents)]


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path) -> list[Block]:
    """The blocks of code of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            language=found["language"].strip(),
            body=found["body"],
            note=found["note"] or "",
            line=text.count("\n", 0, found.start("body")),
        )
        for found in FENCE.finditer(text)
    ]


def commands_in(body: str) -> Iterator[Command]:
    """The commands of a block; one that ends with a backslash goes on in the next line."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        lines = part.rstrip("\n").split("\n")
        typed = [lines.pop(0)]
        while typed[-1].endswith("\\"):
            typed.append(lines.pop(0))
        yield Command("\n".join(typed), tuple(line.rstrip() for line in lines))


def pattern_of(shown: tuple[str, ...]) -> str:
    """A pattern for whole lines, each with its line feed."""
    return "".join(
        r"(?:.*\n)*?" if line == ANY else ".*".join(map(re.escape, line.split(ANY))) + r"\n"
        for line in shown
    )
