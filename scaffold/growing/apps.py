"""The migrations that lie in the packages of resources, read without running them.

Each package numbers its own, and a migration names those that it depends on in others. It names
them by their label: what apps.py says, or else the name of the folder.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scaffold.errors import TargetError
from scaffold.escaping import quote_path
from scaffold.growing import tables
from scaffold.growing.changes import Change, data, described
from scaffold.growing.revisions import ordered, parsed
from scaffold.resources.model import Resource
from scaffold.resources.problems import listed, quote

MIGRATIONS = "migrations"
FIRST = "0001_initial"
NUMBER = re.compile("[0-9]+")
JOIN = "uv run python manage.py makemigrations --merge"
CHECK = "uv run python manage.py makemigrations --check"

# The names of a package's migrations, each with those that it depends on: package and name.
Graph = Mapping[str, Sequence[tuple[str, str]]]


def has_them(project: Path) -> bool:
    """Whether the packages of resources have the migrations, by the template of a service."""
    return not any(project.glob("src/*/migrations"))


def growth(service: Path, package: str, change: Change) -> list[dict[str, Any]]:
    """The migrations of a change, as their template takes them. Raises TargetError.

    The first is the change itself. The others are for the resources beside it, and are written
    only if the template finds that the change makes their references differ.
    """
    place = _sources(service, package)
    main = described(change) | _main(place, change)
    field = change.field.name if change.field else None
    model = change.resource.name.replace("_", "")
    tables.refuse_repeated(
        tables.Step(change.adds, model, field), _done(place, change.resource.plural)
    )
    others = (one for one in change.after if one.name != change.resource.name)
    return [main, *(_altered(place, change, one) for one in others)]


def _sources(service: Path, package: str) -> Path:
    """The package of the service, also after it was renamed. Raises TargetError."""
    usual = service / "src" / package
    if usual.is_dir():
        return usual
    found = sorted({folder.parent.parent for folder in service.glob(f"src/*/*/{MIGRATIONS}")})
    if len(found) != 1:
        raise TargetError(
            f"{quote_path(usual)} does not exist, so the previous migration is not known."
        )
    return found[0]


def _main(place: Path, change: Change) -> dict[str, Any]:
    app = change.resource.plural
    graph = _graph(place, app)
    creates = change.adds and not change.field
    if not graph and not creates:
        raise _unknown(place, app)
    needed = [app] if graph else []
    if change.adds:
        fields = [change.field] if change.field else change.resource.fields
        targets = {field.target for field in fields}
        needed += [one.plural for one in change.after if one.name in targets]
    if not change.adds and not change.field:
        needed += _referring(place, app)
    name = FIRST if not graph else f"{_next_number(graph)}_{_described(change)}"
    depends = [(one, _newest(place, one)) for one in dict.fromkeys(needed) if one != app or graph]
    return {"package": app, "file": f"{name}.py", "dependencies": depends, "first": not graph}


def _altered(place: Path, change: Change, resource: Resource) -> dict[str, Any]:
    graph = _graph(place, resource.plural)
    (entry,) = data([resource])
    number = _next_number(graph)
    return described(change) | {
        "adds": None,
        "resource": entry,
        "field": None,
        "fill": None,
        "message": "Change reverse names of references",
        "package": resource.plural,
        "file": f"{number}_references.py",
        "dependencies": [(resource.plural, leaf) for leaf in _leaves(resource.plural, graph)],
        "first": False,
    }


def _described(change: Change) -> str:
    """What a migration is called after its number, as the framework would call it."""
    model = change.resource.name.replace("_", "")
    if not change.field:
        return model if change.adds else f"delete_{model}"
    return f"{'' if change.adds else 'remove_'}{model}_{change.field.name}"


def _next_number(graph: Graph) -> str:
    numbers = (int(found[0]) for name in graph if (found := NUMBER.match(name)))
    return f"{max(numbers, default=0) + 1:04}"


def _newest(place: Path, app: str) -> str:
    """The migration that no other of the package follows. Raises TargetError."""
    graph = _graph(place, app)
    leaves = _leaves(app, graph)
    if len(leaves) > 1:
        raise TargetError(
            f"The migrations of {quote(app)} have {len(leaves)} heads, {listed(leaves, 'and')}, "
            f"but a new one needs a single head. Merge them and commit: {JOIN}"
        )
    if not leaves:
        raise _unknown(place, app)
    return leaves[0]


def _unknown(place: Path, app: str) -> TargetError:
    """A folder with another name and without a label is another app, with tables of its own."""
    return TargetError(
        f"{quote_path(place / app / MIGRATIONS)} has no migrations, so the one before is unknown. "
        f"If you renamed the folder, set label = {quote(app)} in the AppConfig in its apps.py, or "
        f"rename it back to {quote(app)}. Commit the change and run this command again."
    )


def _packages(place: Path) -> list[Path]:
    return sorted(folder.parent for folder in place.glob(f"*/{MIGRATIONS}"))


def _label(package: Path) -> str:
    """The label that a class in apps.py gives the package, or the name of its folder."""
    file = package / "apps.py"
    classes = [n for n in parsed(file).body if isinstance(n, ast.ClassDef)] if file.exists() else []
    for line in (line for one in classes for line in one.body):
        match line:
            case (
                ast.Assign(targets=[ast.Name(id="label")], value=ast.Constant(value=str(label)))
                | ast.AnnAssign(target=ast.Name(id="label"), value=ast.Constant(value=str(label)))
            ):
                return label
    return package.name


def _leaves(app: str, graph: Graph) -> list[str]:
    followed = {name for after in graph.values() for package, name in after if package == app}
    return sorted(graph.keys() - followed)


def _referring(place: Path, app: str) -> list[str]:
    """The other packages whose migrations depend on those of `app`."""
    return [
        label
        for folder in _packages(place)
        if (label := _label(folder)) != app
        and any(package == app for after in _graph(place, label).values() for package, _ in after)
    ]


def _graph(place: Path, app: str) -> Graph:
    """The migrations of the package with the label `app`, whatever its folder is called.

    Raises TargetError for one that cannot be read.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    replaced: set[str] = set()
    for file in _files(place, app):
        lists = dict(_lists(file))
        if lists:
            found[file.stem] = lists.get("dependencies", [])
            replaced |= {name for _, name in lists.get("replaces", ())}
    return {name: after for name, after in found.items() if name not in replaced}


def _files(place: Path, app: str) -> list[Path]:
    folders = [folder for folder in _packages(place) if _label(folder) == app]
    return sorted(file for one in folders for file in (one / MIGRATIONS).glob("[!_]*.py"))


def _done(place: Path, app: str) -> Iterator[tuple[Path, list[tables.Step]]]:
    """What each migration of the package does, oldest first."""
    graph = _graph(place, app)
    files = {file.stem: file for file in _files(place, app)}
    own = {name: [one for label, one in after if label == app] for name, after in graph.items()}
    for name in ordered(own):
        yield files[name], tables.steps_of(parsed(files[name]))


def _lists(file: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The lists of a module's class `Migration`, by name: what in them is written out."""
    for node in parsed(file).body:
        if not (isinstance(node, ast.ClassDef) and node.name == "Migration"):
            continue
        yield "operations", []
        for line in node.body:
            match line:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                ) if isinstance(value, ast.List | ast.Tuple):
                    yield name, list(_pairs(value.elts))


def _pairs(elements: Sequence[ast.expr]) -> Iterator[tuple[str, str]]:
    for element in elements:
        match element:
            case ast.Tuple(elts=[ast.Constant(value=str(app)), ast.Constant(value=str(name))]):
                yield app, name
