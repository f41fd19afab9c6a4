"""Joins edits of both sides in the same place, where git sees a conflict.

An owner registers a resource in `app.py`, or adds a column to a model, in the very place where the
template adds the next one. Both are to stay, the owner's first. A line that both sides changed
remains a conflict, and so does anything that would not be sound Python afterwards.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

from scaffold.documents import is_toml, is_yaml
from scaffold.programs import ruff

MARKER = 40
OURS, BASE, THEIRS, END = (character * MARKER for character in "<|=>")
SORTING = ("check", "--select=I", "--fix", "--quiet", "--no-cache")
YAML = (".yaml", ".yml")
NESTED = (".py", *YAML)
Lines = Sequence[str]
Hunk = dict[str, list[str]]


def joined(conflicting: bytes, path: str, settings: Path) -> bytes | None:
    """The content without its conflicts, or None if one of them is to be left to the owner.

    `conflicting` is what `git merge-file --diff3` prints, with markers of MARKER characters.
    `settings` is the service's pyproject.toml, by which imports are sorted.
    """
    kind = PurePosixPath(path).suffix
    if kind not in SOUND:
        return None
    try:
        parts = list(_parts(conflicting.decode()))
    except ValueError:
        return None
    resolved = [part if isinstance(part, str) else _resolved(part, kind) for part in parts]
    if None in resolved:
        return None
    text, *sides = ("".join(map(str, resolved)), *(_side(parts, side) for side in (OURS, THEIRS)))
    if not SOUND[kind](text, sides):
        return None
    return (_sorted(text, sides[0], settings) if kind == ".py" else text).encode()


def _parts(text: str) -> Iterator[str | Hunk]:
    """Lines without a conflict, and the three sides of each conflict.

    Raises ValueError if a line of a side could be a marker, such as one below a heading.
    """
    hunk: Hunk = {}
    side = ""
    for line in text.splitlines(keepends=True):
        mark = line[:MARKER]
        if mark == OURS or (hunk and mark in (BASE, THEIRS)):
            if mark in hunk:
                raise ValueError(mark)
            side = mark
            hunk[side] = []
        elif mark == END:
            if [*hunk] != [OURS, BASE, THEIRS]:
                raise ValueError(mark)
            yield hunk
            hunk = {}
        elif hunk:
            hunk[side].append(line)
        else:
            yield line


def _side(parts: Sequence[str | Hunk], side: str) -> str:
    return "".join(part if isinstance(part, str) else "".join(part[side]) for part in parts)


def _resolved(hunk: Hunk, kind: str) -> str | None:
    ours, base, theirs = hunk[OURS], hunk[BASE], hunk[THEIRS]
    if kind == ".py" and (imports := _imports(ours, base, theirs)) is not None:
        return imports
    own, other = _edits(base, ours), _edits(base, theirs)
    if kind in NESTED and not _are_siblings(own, other):
        return None
    if kind in YAML and (own.replaced or other.replaced):
        return None
    return _both(own, base, other)


@dataclass
class Edits:
    """What a side did to the base: lines added before each of its lines, and those in their place.

    A line that was removed has none in its place.
    """

    added: dict[int, Lines]
    replaced: dict[int, Lines]

    @property
    def changes_lines(self) -> bool:
        return any(self.replaced.values())

    @property
    def telling(self) -> set[str]:
        """The new lines, without those that are blank or a bracket."""
        new = [*self.added.values(), *self.replaced.values()]
        return {line.strip() for lines in new for line in lines if any(map(str.isalnum, line))}

    def are_within(self, other: "Edits") -> bool:
        """Whether this adds lines in the middle of what the other replaces."""
        return any(at in other.replaced and at - 1 in other.replaced for at in self.added)


def _both(own: Edits, base: Lines, other: Edits) -> str | None:
    """`base` with the edits of both; None if it is not clear how they fit together."""
    if (
        (own.changes_lines and other.changes_lines)
        or own.replaced.keys() & other.replaced.keys()
        or own.are_within(other)
        or other.are_within(own)
        or own.telling & other.telling
    ):
        return None
    replaced = own.replaced | other.replaced
    result: list[str] = []
    for at, line in enumerate([*base, ""]):
        result += [*own.added.get(at, ()), *other.added.get(at, ()), *replaced.get(at, [line])]
    return "".join(result)


def _edits(base: Lines, side: Lines) -> Edits:
    edits = Edits({}, {})
    for kind, start, end, first, last in SequenceMatcher(None, base, side, False).get_opcodes():
        if kind == "insert":
            edits.added[start] = side[first:last]
        elif kind != "equal":
            edits.replaced |= dict.fromkeys(range(start, end), ())
            edits.replaced[start] = side[first:last]
    return edits


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
    statements: list[str] = []
    for node in found:
        if isinstance(node, ast.ImportFrom):
            one = [ast.unparse(ast.ImportFrom(node.module, [n], node.level)) for n in node.names]
        elif isinstance(node, ast.Import):
            one = [ast.unparse(ast.Import([name])) for name in node.names]
        else:
            return None
        statements += one
    return statements


def _are_siblings(own: Edits, other: Edits) -> bool:
    """Whether the blocks of new lines begin at one depth, and no line is less indented.

    Otherwise what one side adds could end up in a function, a class or a mapping of the other.
    """
    blocks = [*own.added.values(), *own.replaced.values()]
    blocks += [*other.added.values(), *other.replaced.values()]
    depths = [[_depth(line) for line in block if line.strip()] for block in blocks]
    return len({depth for found in depths if found for depth in (found[0], min(found))}) <= 1


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _names_once(text: str, _: Sequence[str]) -> bool:
    """Whether no variable of an .env file is set twice."""
    names = re.findall(r"^#?\s*(\w+)=", text, re.MULTILINE)
    return len({*names}) == len(names)


def _is_python(text: str, sides: Sequence[str]) -> bool:
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
    words = (*SORTING, f"--config={settings}", "-")
    ended = ruff(settings.parent, *words, given=text.encode())
    return ended.out.decode() if ended.code == 0 else text


SOUND: Mapping[str, Callable[[str, Sequence[str]], bool]] = {
    ".py": _is_python,
    ".toml": lambda text, _: is_toml(text),
    ".yaml": lambda text, _: is_yaml(text),
    ".yml": lambda text, _: is_yaml(text),
    ".example": _names_once,
    ".md": lambda *_: True,
}
