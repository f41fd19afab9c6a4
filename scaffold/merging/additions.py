"""Joins lines that both sides added at the same place, where git sees a conflict.

An owner registers a resource in `app.py`, or adds a column to a model, in the very lines where the
template adds the next one. Both are to stay, the owner's first. Lines that one side changed and the
other touched remain a conflict, and so does anything that would not be sound Python afterwards.
"""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

from scaffold.programs import run

SUFFIXES = (".py", ".toml", ".md")
MARKER = 40
OURS, BASE, THEIRS, END = (character * MARKER for character in "<|=>")
SORTING = ("check", "--select=I", "--fix", "--quiet", "--no-cache")
Lines = Sequence[str]
Hunk = dict[str, list[str]]


def joined(conflicting: bytes, path: str, settings: Path) -> bytes | None:
    """The content without its conflicts, or None if one of them is to be left to the owner.

    `conflicting` is what `git merge-file --diff3` prints, with markers of MARKER characters.
    `settings` is the service's pyproject.toml, by which imports are sorted.
    """
    if PurePosixPath(path).suffix not in SUFFIXES:
        return None
    try:
        parts = list(_parts(conflicting.decode()))
    except UnicodeDecodeError:
        return None
    python = path.endswith(".py")
    resolved = [part if isinstance(part, str) else _resolved(part, python) for part in parts]
    if None in resolved:
        return None
    text, *sides = ("".join(map(str, resolved)), *(_side(parts, side) for side in (OURS, THEIRS)))
    if path.endswith(".toml"):
        return text.encode() if _is_toml(text) else None
    if not python:
        return text.encode()
    if not _is_sound(text, sides):
        return None
    return _sorted(text, sides[0], settings).encode()


def _parts(text: str) -> Iterator[str | Hunk]:
    """Lines without a conflict, and the three sides of each conflict."""
    hunk: Hunk = {}
    side = ""
    for line in text.splitlines(keepends=True):
        mark = line[:MARKER]
        if mark == OURS or (hunk and mark in (BASE, THEIRS)):
            side = mark
            hunk[side] = []
        elif hunk and mark == END:
            yield hunk
            hunk = {}
        elif hunk:
            hunk[side].append(line)
        else:
            yield line


def _side(parts: Sequence[str | Hunk], side: str) -> str:
    return "".join(part if isinstance(part, str) else "".join(part[side]) for part in parts)


def _resolved(hunk: Hunk, python: bool) -> str | None:
    ours, base, theirs = hunk[OURS], hunk[BASE], hunk[THEIRS]
    if python and (imports := _imports(ours, base, theirs)) is not None:
        return imports
    return _lines(ours, base, theirs)


def _lines(ours: Lines, base: Lines, theirs: Lines) -> str | None:
    """`base` with what each side added and without what it removed; None if a line was changed."""
    changes = [_added_and_removed(base, side) for side in (ours, theirs)]
    if None in changes:
        return None
    (added, removed), (their_added, their_removed) = (one for one in changes if one)
    if _inside(added, their_removed) or _inside(their_added, removed):
        return None
    telling = [
        {line.strip() for lines in side.values() for line in lines if any(map(str.isalnum, line))}
        for side in (added, their_added)
    ]
    if telling[0] & telling[1]:
        return None
    result: list[str] = []
    for at in range(len(base) + 1):
        result += [*added.get(at, ()), *their_added.get(at, ())]
        if at < len(base) and at not in removed | their_removed:
            result.append(base[at])
    return "".join(result)


def _added_and_removed(
    base: Lines, side: Lines
) -> tuple[Mapping[int, Lines], frozenset[int]] | None:
    """The lines that a side added before each line of `base`, and those that it removed."""
    added: dict[int, Lines] = {}
    removed: set[int] = set()
    for kind, start, end, first, last in SequenceMatcher(None, base, side, False).get_opcodes():
        if kind == "replace":
            return None
        if kind == "insert":
            added[start] = side[first:last]
        elif kind == "delete":
            removed.update(range(start, end))
    return added, frozenset(removed)


def _inside(added: Mapping[int, Lines], removed: frozenset[int]) -> bool:
    return any(at in removed and at - 1 in removed for at in added)


def _imports(ours: Lines, base: Lines, theirs: Lines) -> str | None:
    """The imports of both sides, without those that one of them removed; None for other code."""
    sides = [_imported("".join(lines)) for lines in (ours, base, theirs)]
    if None in sides:
        return None
    own, before, other = (side for side in sides if side is not None)
    kept = [line for line in before if line in own and line in other]
    new = [line for line in (*own, *other) if line not in before]
    return "".join(f"{line}\n" for line in dict.fromkeys([*kept, *new]))


def _imported(text: str) -> list[str] | None:
    """One statement for each name that is imported; None if there is anything else."""
    if "#" in text:
        return None
    try:
        found = ast.parse(text).body
    except SyntaxError:
        return None
    statements = []
    for node in found:
        if isinstance(node, ast.ImportFrom):
            names = [ast.ImportFrom(node.module, [name], node.level) for name in node.names]
        elif isinstance(node, ast.Import):
            names = [ast.Import([name]) for name in node.names]
        else:
            return None
        statements += [ast.unparse(name) for name in names]
    return statements


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _is_sound(text: str, sides: Sequence[str]) -> bool:
    """Whether it is Python, in which nothing is defined twice or never reached but before."""
    try:
        known = [Counter(_oddities(ast.parse(side))) for side in sides]
        return Counter(_oddities(ast.parse(text))) <= known[0] | known[1]
    except SyntaxError:
        return False


def _oddities(tree: ast.Module) -> Iterator[tuple[str, ...]]:
    """Names that a module or a class binds, keys of dictionaries, and what is never reached."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            owner = getattr(node, "name", "")
            yield from ((owner, name) for one in node.body for name in _bound(one))
        if isinstance(node, ast.Dict):
            yield from (("key", ast.unparse(key)) for key in node.keys if key)
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(body, list):
                ends = (ast.Return, ast.Raise, ast.Break, ast.Continue)
                yield from (("unreached",) for one in body[:-1] if isinstance(one, ends))


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.AnnAssign):
        yield ast.unparse(node.target)
    elif isinstance(node, ast.Assign):
        yield from map(ast.unparse, node.targets)


def _sorted(text: str, ours: str, settings: Path) -> str:
    """`text` with sorted imports, if those of the owner were sorted by the same settings."""
    if not settings.is_file() or _by_ruff(ours, settings) != ours:
        return text
    return _by_ruff(text, settings)


def _by_ruff(text: str, settings: Path) -> str:
    import ruff

    command = [ruff.find_ruff_bin(), *SORTING, f"--config={settings}", "-"]
    ended = run(settings.parent, command, given=text.encode())
    return ended.out.decode() if ended.code == 0 else text
