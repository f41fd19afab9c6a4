"""Which files of a service belong to its owner, and which ones the template maintains."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from scaffold import documents


class Ownership(NamedTuple):
    """Patterns for paths in a service; without any, all files are the template's."""

    owned: Sequence[str] = ()
    maintained: Sequence[str] = ()

    def is_owned(self, path: str) -> bool:
        """Whether the file at `path` belongs to the owner of the service."""
        return _matches(path, self.owned) and not _matches(path, self.maintained)


def of(root: Path) -> Ownership:
    """What the templates in `root` declare; templates of somebody's own may declare nothing."""
    table = root / "templates" / "owned.toml"
    return Ownership(**documents.read_toml(table)) if table.is_file() else Ownership()


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
