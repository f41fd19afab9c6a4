"""Alembic's environment; see `runtime/migrations.py`."""

from stock_keeper.runtime.migrations import run

run()
