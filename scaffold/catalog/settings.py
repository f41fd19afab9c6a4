"""What an organisation may set: where its own templates come from. platformdirs only here."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scaffold import documents
from scaffold.errors import SourceError

VARIABLE = "SCAFFOLD_SOURCE"
FILE = "config.toml"
SCHEMES = ("https://", "http://", "ssh://", "git://", "file://")
# As copier records them where somebody typed them.
SHORT = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
SCP_LIKE = re.compile(r"^[\w.-]+@[\w.-]+:[^:]")


class Place(NamedTuple):
    """A git repository of templates, and the revision of it to use; None is its newest release."""

    address: str
    revision: str | None = None

    @property
    def url(self) -> str:
        """What git is told; copier's short forms are written out."""
        for short, long in SHORT.items():
            if self.address.startswith(short):
                return f"{long}{self.address.removeprefix(short).removesuffix('.git')}.git"
        return self.address.removeprefix("git+")


def source(environment: Mapping[str, str] = os.environ) -> Place | None:
    """The source that is set by SCAFFOLD_SOURCE or the config file; None is this tool's own.

    Raises SourceError where it is set to something that cannot be used.
    """
    if VARIABLE in environment:
        return place(environment[VARIABLE], VARIABLE) if environment[VARIABLE] else None
    file = config_file()
    value = _read(file).get("source") if file and _is_readable(file) else None
    if value is not None and not isinstance(value, str):
        raise SourceError(f"source in {file} must be a string.")
    return place(value, str(file)) if value else None


def config_file() -> Path | None:
    """Where the user's settings are; None for a user without a home."""
    import platformdirs

    try:
        return platformdirs.user_config_path("scaffold", appauthor=False) / FILE
    except (RuntimeError, KeyError):
        return None


def _is_readable(file: Path) -> bool:
    """Whether there is a file; a home that belongs to somebody else counts as none, as for git."""
    try:
        return file.is_file()
    except OSError:
        return False


def place(text: str, named_by: str) -> Place:
    """`ADDRESS` or `ADDRESS#REVISION`, checked. Raises SourceError, saying who named it."""
    address, _, revision = text.strip().partition("#")
    if why := _unfit(address) or _unfit_revision(revision):
        raise SourceError(f"{named_by} is not a valid template source: {why}.")
    return Place(address, revision or None)


def _unfit(address: str) -> str | None:
    """Why `address` is refused, as the end of a sentence. It is recorded in every service."""
    if re.search(r"[\s\x00-\x1f\x7f]", address) or address.startswith("-"):
        return "the address must not contain white space or start with a dash"
    if "::" in address:
        return "an address with :: could run a program"
    plain = address.removeprefix("git+")
    if re.match(r"^https?://[^/]*@", plain):
        return "it contains a user name or password; use git's credential helper instead"
    if plain.startswith(SCHEMES) or SCP_LIKE.match(plain) or Path(plain).is_absolute():
        return None
    if re.match(r"^g[hl]:[\w.-]+(/[\w.-]+)+$", plain):
        return None
    return "the address must be a URL, user@host:path, or an absolute path"


def _unfit_revision(revision: str) -> str | None:
    fine = not revision or re.fullmatch(r"[\w][\w./+-]*", revision)
    return None if fine else "the part after # must be a tag or a commit"


def _read(file: Path) -> Mapping[str, object]:
    try:
        return documents.read_toml(file)
    except (OSError, ValueError) as error:
        raise SourceError(f"{file} cannot be read: {error}.") from error
