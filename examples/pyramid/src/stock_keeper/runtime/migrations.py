"""Connect Alembic with the service's tables and its database."""

import pkgutil
from importlib import import_module
from typing import Any, Literal

import structlog
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.batch import ApplyBatchImpl
from alembic.script import ScriptDirectory
from sqlalchemy import Enum, Table, text
from sqlalchemy.types import TypeDecorator

from .database import Database
from .settings import load_settings
from .tables import Base, Exact

_PACKAGE = __name__.partition(".")[0]
_WITHOUT_TABLES = ("migrations", "runtime", "__main__")

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
    """Alembic's support of SQLite, in which a rebuilt table keeps its AUTOINCREMENT."""

    __dialect__ = "sqlite"  # it replaces Alembic's own

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: Table) -> None:
        super().prep_table_for_batch(batch_impl, table)
        query = text("SELECT sql FROM sqlite_master WHERE name = :name")
        written = self.connection and self.connection.scalar(query, {"name": table.name})
        if batch_impl.new_table is not None and "AUTOINCREMENT" in (written or ""):
            batch_impl.new_table.dialect_options["sqlite"]["autoincrement"] = True


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
