"""What the migrations of a service do to its tables, read without running them.

A migration in SQL, or one that computes a name, is not understood and counts as doing nothing.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scaffold.errors import TargetError
from scaffold.escaping import quote_path
from scaffold.resources.problems import quote

# What an operation of Alembic or Django does, and what it names: a table, then a column of it. One
# that renames has the new name last.
OPERATIONS = {
    "create_table": ("adds", ("table_name",)),
    "drop_table": ("drops", ("table_name",)),
    "rename_table": ("renames", ("old_table_name", "new_table_name")),
    "add_column": ("adds", ("table_name", "column")),
    "drop_column": ("drops", ("table_name", "column_name")),
    "alter_column": ("renames", ("table_name", "column_name", "new_column_name")),
    "CreateModel": ("adds", ("name",)),
    "DeleteModel": ("drops", ("name",)),
    "RenameModel": ("renames", ("old_name", "new_name")),
    "AddField": ("adds", ("model_name", "name")),
    "RemoveField": ("drops", ("model_name", "name")),
    "RenameField": ("renames", ("model_name", "old_name", "new_name")),
}


class Step(NamedTuple):
    """A table, or a column of it, that comes or goes; in Django a model and its field."""

    adds: bool
    table: str
    column: str | None = None


def refuse_repeated(wanted: Step, done: Iterable[tuple[Path, Sequence[Step]]]) -> None:
    """Raises TargetError if one of the migrations `done`, oldest first, does what is wanted.

    Also if it takes away the table that a column is wanted in.
    """
    known: dict[tuple[str, str | None], tuple[bool, Path]] = {}
    for file, steps in done:
        for step in steps:
            if step.column is None:  # a table has no columns of one with its name before
                known = {key: value for key, value in known.items() if key[0] != step.table}
            known[step.table, step.column] = (step.adds, file)
    needs_table = [Step(False, wanted.table)] if wanted.column else []
    for step in (wanted, *needs_table):
        adds, file = known.get((step.table, step.column), (not step.adds, Path()))
        if adds == step.adds:
            raise TargetError(
                f"{quote_path(file)} already {_described(step)}. To change only the code, without "
                "another migration, pass --no-migration."
            )


def _described(step: Step) -> str:
    table, column = quote(step.table), quote(step.column or "")
    if step.column is None:
        return f"creates {table}" if step.adds else f"drops or renames {table}"
    return f"adds {column} to {table}" if step.adds else f"removes or renames {column} in {table}"


def steps_of(module: ast.Module) -> list[Step]:
    """What a migration does when it goes forward."""
    return [step for node in module.body if _goes_forward(node) for step in _steps(node)]


def _goes_forward(node: ast.stmt) -> bool:
    match node:
        case ast.FunctionDef(name="upgrade") | ast.ClassDef(name="Migration"):
            return True
    return False


def _steps(top: ast.AST) -> Iterator[Step]:
    batches: dict[str, ast.expr] = {}
    for node in _in_order(top):
        match node:
            case ast.withitem(
                context_expr=ast.Call(
                    func=ast.Attribute(attr="batch_alter_table"), args=[table, *_]
                ),
                optional_vars=ast.Name(id=alias),
            ):
                batches[alias] = table
            case ast.Call(func=ast.Attribute(value=ast.Name(id=alias), attr=name)) if (
                name in OPERATIONS
            ):
                yield from _step(node, name, [batches[alias]] if alias in batches else [])
            case ast.Call(func=ast.Name(id=name)) if name in OPERATIONS:
                yield from _step(node, name, [])


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, as they are written."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _step(call: ast.Call, operation: str, before: Sequence[ast.expr]) -> Iterator[Step]:
    does, parameters = OPERATIONS[operation]
    given = dict(zip(parameters, [*before, *call.args], strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    names = [name for one in parameters if (name := _name(given.get(one)))]
    if len(names) < len(parameters):
        return
    if does == "renames":
        *table, old, new = names
        yield from (_at(False, [*table, old]), _at(True, [*table, new]))
        return
    yield _at(does == "adds", names)
    if operation in ("create_table", "CreateModel"):
        yield from (Step(True, names[0], column) for column in _columns(call))


def _at(adds: bool, names: Sequence[str]) -> Step:
    return Step(adds, names[0], names[1] if len(names) > 1 else None)


def _columns(call: ast.Call) -> Iterator[str]:
    """The columns of a table that is created, or the fields of a model."""
    given = [*call.args[1:], *(one.value for one in call.keywords if one.arg == "fields")]
    for one in given:
        for element in one.elts if isinstance(one, ast.List) else [one]:
            if name := _name(element):
                yield name


def _name(node: ast.expr | None) -> str | None:
    """What is written out, itself or as the name of a column or a field."""
    match node:
        case (
            ast.Constant(value=str(name))
            | ast.Tuple(elts=[ast.Constant(value=str(name)), *_])
            | ast.Call(
                func=ast.Attribute(attr="Column") | ast.Name(id="Column"),
                args=[ast.Constant(value=str(name)), *_],
            )
        ):
            return name.lower()
    return None
