"""The migrations that a service has, its owner's included, read without running them."""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from scaffold.errors import TargetError
from scaffold.escaping import quote_path
from scaffold.growing import tables
from scaffold.growing.changes import Change, described
from scaffold.resources.problems import listed

VERSIONS = "migrations/versions"
NUMBER = re.compile("[0-9]{4}")
MAX_SLUG = 60
JOIN = 'uv run alembic merge heads -m "Join the heads"'
CHECK = "uv run alembic check"


@dataclass(frozen=True)
class Revision:
    """A migration of Alembic and those that it follows."""

    id: str
    after: Sequence[str]
    file: Path


def growth(service: Path, package: str, change: Change) -> list[dict[str, Any]]:
    """The migration of a change, as its template takes it. Raises TargetError."""
    folder = versions_in(service, package)
    after, known = newest(folder)
    column = change.field.column if change.field else None
    wanted = tables.Step(change.adds, change.resource.plural, column)
    tables.refuse_repeated(wanted, _done(folder))
    revision = new_id(known, after, change.message)
    named = {
        "revision": revision,
        "down_revision": after,
        "file": f"{revision}_{slug(change.message)}.py",
    }
    return [described(change) | named]


def versions_in(service: Path, package: str) -> Path:
    """The folder of Alembic's migrations, also of a package that was renamed.

    Raises TargetError.
    """
    usual = service / "src" / package / VERSIONS
    if usual.is_dir():
        return usual
    found = sorted(service.glob(f"src/*/{VERSIONS}"))
    if len(found) != 1:
        raise TargetError(
            f"{quote_path(usual)} does not exist, so the previous migration is not known."
        )
    return found[0]


def newest(folder: Path) -> tuple[str | None, set[str]]:
    """The revision that no other follows, and the ids of all. Raises TargetError."""
    revisions = list(_revisions(folder))
    known = {revision.id for revision in revisions}
    heads = sorted(known.difference(*(revision.after for revision in revisions)))
    if len(heads) > 1:
        raise TargetError(
            f"The migrations have {len(heads)} heads, {listed(heads, 'and')}, but a new one "
            f"needs a single head. Merge them and commit: {JOIN}"
        )
    if known and not heads:
        raise TargetError(f"The migrations in {quote_path(folder)} follow each other in a circle.")
    return (heads[0] if heads else None), known


def _done(folder: Path) -> Iterator[tuple[Path, list[tables.Step]]]:
    """What each migration does, oldest first."""
    revisions = {revision.id: revision for revision in _revisions(folder)}
    for one in ordered({name: revision.after for name, revision in revisions.items()}):
        file = revisions[one].file
        yield file, tables.steps_of(parsed(file))


def ordered(after: Mapping[str, Iterable[str]]) -> list[str]:
    """Migrations, each behind those that it follows. Raises TargetError."""
    try:
        return [one for one in TopologicalSorter(after).static_order() if one in after]
    except CycleError as error:
        circle = listed(error.args[1], "and")
        raise TargetError(f"The migrations {circle} follow each other in a circle.") from error


def _revisions(folder: Path) -> Iterator[Revision]:
    for file in sorted(folder.glob("*.py")):
        assigned = assignments(file)
        if "revision" not in assigned:
            continue
        after = assigned.get("down_revision")
        several = after if isinstance(after, tuple | list) else [after]
        before = [one for one in several if isinstance(one, str)]
        yield Revision(str(assigned["revision"]), before, file)


def assignments(file: Path) -> Mapping[str, object]:
    """The constants that a module assigns to names at its top. Raises TargetError."""
    found: dict[str, object] = {}
    for node in parsed(file).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            found[name] = ast.literal_eval(value)
        except ValueError:
            continue
    return found


def parsed(file: Path) -> ast.Module:
    """What a module says. Raises TargetError."""
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise TargetError(f"{quote_path(file)} cannot be read: {error}.") from error


def new_id(known: set[str], after: str | None, message: str) -> str:
    """The next number, or what Alembic would make where that is taken; the same each time."""
    numbers = [int(one) for one in known if NUMBER.fullmatch(one)]
    number = f"{max(numbers, default=0) + 1:04}"
    if NUMBER.fullmatch(number):
        return number
    return hashlib.sha256(f"{after} {message}".encode()).hexdigest()[:12]


def slug(message: str) -> str:
    """What a file is called after its message."""
    return re.sub("[^a-z0-9]+", "_", message.lower())[:MAX_SLUG].strip("_")
