"""Connect Alembic with the service's tables and its database."""

import pkgutil
import re
from importlib import import_module
from typing import Any, Literal, cast

import structlog
from alembic import context
from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations import ops
from alembic.operations.batch import ApplyBatchImpl
from alembic.script import ScriptDirectory
from alembic.util import DispatchPriority
from sqlalchemy import CheckConstraint, Connection, Enum, Table, text
from sqlalchemy.sql.elements import conv
from sqlalchemy.types import TypeDecorator

from .database import Database
from .settings import load_settings
from .tables import Base, Exact, name_in_database

_PACKAGE = __name__.partition(".")[0]
_WITHOUT_TABLES = ("migrations", "runtime", "__main__")
_INDEXES = text(
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql > ''"
)
_TEXTS = re.compile(r"'(?:[^']|'')*'")

_log = structlog.get_logger()


def run() -> None:
    """Run the migrations that Alembic asks for; to be called by its `env.py`."""
    import_tables()
    # `migrate` passes its database; Alembic's own command line has none.
    handed_over = context.config.attributes.get("database")
    database = handed_over or Database(load_settings())
    with database.migrating() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,  # SQLite cannot alter a table, only rebuild it
            render_item=_render,
        )
        # After a rollback, the older release is run against a newer schema.
        if handed_over and (newer := _newer_revisions()):
            _log.warning("schema_is_newer", revisions=newer)
            return
        with context.begin_transaction():
            context.run_migrations()


def _newer_revisions() -> list[str]:
    """The database's revisions that this release does not know."""
    scripts = ScriptDirectory.from_config(context.config)
    known = {script.revision for script in scripts.walk_revisions()}
    return sorted(set(context.get_context().get_current_heads()) - known)


def import_tables() -> None:
    """Import every module of the service, so that all tables are known."""
    package = import_module(_PACKAGE)
    for found in pkgutil.iter_modules(package.__path__, f"{_PACKAGE}."):
        if found.name.rpartition(".")[2] in _WITHOUT_TABLES:
            continue
        module = import_module(found.name)
        if found.ispkg:
            for inner in pkgutil.walk_packages(module.__path__, f"{found.name}."):
                import_module(inner.name)


class _SQLite(SQLiteImpl):
    """Alembic's support of SQLite, in which a rebuilt table keeps what SQLAlchemy cannot read.

    That is AUTOINCREMENT, and indexes of expressions.
    """

    __dialect__ = "sqlite"  # it replaces Alembic's own

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unread: dict[str, list[str]] = {}  # by table, as SQL

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: Table) -> None:
        super().prep_table_for_batch(batch_impl, table)
        query = text("SELECT sql FROM sqlite_master WHERE name = :name")
        written = self.connection and self.connection.scalar(query, {"name": table.name})
        if batch_impl.new_table is not None and "AUTOINCREMENT" in (written or ""):
            batch_impl.new_table.dialect_options["sqlite"]["autoincrement"] = True
        if self.connection:
            read = {index.name for index in table.indexes}
            indexes = self.connection.execute(_INDEXES, {"table": table.name})
            self._unread[table.name] = [sql for name, sql in indexes if name not in read]

    def rename_table(self, old_table_name: str, new_table_name: Any, schema: Any = None) -> None:
        super().rename_table(old_table_name, new_table_name, schema)
        for sql in self._unread.pop(str(new_table_name), ()):
            cast(Connection, self.connection).exec_driver_sql(sql)


@comparators.dispatch_for("table", priority=DispatchPriority.LAST)
def _compare_checks(  # noqa: PLR0913, PLR0917
    autogenerate: AutogenContext,
    changes: ops.ModifyTableOps,
    schema: str | None,
    name: str,
    existing: Table | None,
    wanted: Table | None,
) -> None:
    """Find check constraints that are new, removed or of an `Enum` with other values.

    Alembic does not compare them by itself, and a new value of an `Enum` would be rejected. They
    are dropped before the columns that they are about, and created after them.
    """
    if existing is None or wanted is None:
        return
    checks = {str(name_in_database(one.name)): one for one in _named_checks(wanted)}
    found = autogenerate.inspector.get_check_constraints(name, schema=schema)
    known = {str(one["name"]): one["sqltext"] for one in found if one["name"]}
    for key in sorted(known):
        check = checks.get(key)
        if check is not None and _texts(known[key]) == _texts(_sql(check, autogenerate)):
            del checks[key]
        elif check is None or _is_of_enum(check):
            changes.ops.insert(0, _dropped(key, known[key], name, schema))
        else:
            del checks[key]  # the database writes an expression in its own way
    for key in sorted(checks):
        changes.ops.append(ops.CreateCheckConstraintOp.from_constraint(checks[key]))


def _named_checks(table: Table) -> list[CheckConstraint]:
    return [one for one in table.constraints if isinstance(one, CheckConstraint) and one.name]


def _is_of_enum(check: CheckConstraint) -> bool:
    return any(isinstance(column.type, Enum) for column in check.columns)


def _sql(check: CheckConstraint, autogenerate: AutogenContext) -> str:
    options = {"literal_binds": True}
    return str(check.sqltext.compile(dialect=autogenerate.dialect, compile_kwargs=options))


def _texts(expression: str) -> list[str]:
    """The texts in an expression, whatever else a database makes of it."""
    return sorted(_TEXTS.findall(expression))


def _dropped(key: str, expression: str, table: str, schema: str | None) -> ops.DropConstraintOp:
    before = ops.CreateCheckConstraintOp(conv(key), table, expression, schema=schema)
    return ops.DropConstraintOp(conv(key), table, "check", schema=schema, _reverse=before)


def _render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Render a column type of the service as its type in the database."""
    if kind == "type" and isinstance(item, Exact):
        exact = f"sa.Numeric({item.precision}, {item.scale})"
        return f'{exact}.with_variant(sa.BigInteger(), "sqlite")'
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    if kind == "type" and isinstance(item, TypeDecorator) and item.__module__.startswith(_PACKAGE):
        return f"sa.{item.impl_instance!r}"
    return False
