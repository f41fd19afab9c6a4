"""What changes in a service between two releases, from the sections of CHANGELOG.md. Pure.

A release has a section `## [0.2.0] - 2027-01-31`; what its templates change stands there under
`### In your service`. `## [Unreleased]` counts as the newest release until that has its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scaffold.catalog.versions import parsed

SECTION = re.compile(r"^## +\[?v?([^\]\s]+)\]?.*$", re.MULTILINE)
PART = re.compile(r"^### +(.+?) *$", re.MULTILINE)
OURS = "in your service"
COMING = "Unreleased"


@dataclass(frozen=True)
class Changes:
    """What the release `version` changes in a service: one paragraph for each."""

    version: str
    items: Sequence[str]


def between(text: str, before: str, after: str) -> list[Changes]:
    """The changes of every release later than `before` up to `after`, the newest first.

    Both are versions, with a `v` in front or not. There are none where either is no version.
    """
    old, new = parsed(before), parsed(after)
    if not old or not new:
        return []
    sections = dict(_split(text, SECTION))
    released = {version for name in sections if (version := parsed(name))}
    if new not in released and COMING in sections:
        sections = {str(new) if name == COMING else name: body for name, body in sections.items()}
    spanned = {
        name: body
        for name, body in sections.items()
        if (version := parsed(name)) and old < version <= new
    }
    ordered = sorted(spanned, key=lambda name: parsed(name) or old, reverse=True)
    changes = (Changes(name, _items(spanned[name])) for name in ordered)
    return [change for change in changes if change.items]


def _split(text: str, heading: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Each heading's name and the text below it, up to the next."""
    found = list(heading.finditer(text))
    ends = [*(match.start() for match in found), len(text)]
    for match, end in zip(found, ends[1:], strict=True):
        yield match[1], text[match.end() : end]


def _items(section: str) -> list[str]:
    ours = "\n".join(body for name, body in _split(section, PART) if name.lower() == OURS)
    bullets = re.split(r"^[-*] +", ours, flags=re.MULTILINE)[1:]
    return [" ".join(bullet.split()) for bullet in bullets]
