"""How Alembic reaches the database: by the service's own settings and connection."""

from alembic import context

import stock_keeper.app  # noqa: F401  whatever is wired there has its tables in metadata
from stock_keeper.runtime.database import Database, metadata
from stock_keeper.runtime.settings import load_settings

# `migrate` hands over its database; Alembic's own command line does not.
database = context.config.attributes.get("database") or Database(load_settings())

with database.migrating() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
