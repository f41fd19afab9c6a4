"""Alembic's environment; `runtime/migrations.py` has what it does."""

from stock_keeper.runtime.migrations import run

run()
