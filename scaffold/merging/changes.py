"""Files as git stores them, and how two trees differ in one."""

from dataclasses import dataclass
from typing import NamedTuple


class Entry(NamedTuple):
    """A file: its mode and the id of its content."""

    mode: str
    blob: str


@dataclass(frozen=True)
class Change:
    """A file that differs between HEAD and a merge; None where it does not exist."""

    path: str
    before: Entry | None
    after: Entry | None

    @property
    def how(self) -> str:
        if self.before and self.after:
            return "changed"
        return "added" if self.after else "removed"
