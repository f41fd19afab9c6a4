"""Migrate with a short lock timeout, because other queries queue behind a waiting migration."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from . import deadlines
from .outages import driver_error

LOCK_SECONDS: Final = 5
TRIES: Final = 12
PAUSE_SECONDS: Final = 2.0

_log = structlog.get_logger()


class Locked(Exception):
    """A migration could not acquire a lock; nothing was changed."""


def patiently(migrate: Callable[[], object]) -> None:
    """Migrate; try again while another transaction holds a lock. Raises `Locked` after 12 tries."""
    for left in reversed(range(TRIES)):
        try:
            migrate()
            return
        except Exception as error:
            cause = driver_error(error)
            if not deadlines.is_lock_timeout(cause):
                raise
            _log.warning("migration_waits", reason=str(cause), tries_left=left)
        if left:
            time.sleep(PAUSE_SECONDS)
    raise Locked(f"no lock in {TRIES} tries; see who holds it, and migrate again")
