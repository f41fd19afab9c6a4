"""The command line of the service."""

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from .. import NAME
from .address import listen
from .logs import configure_logs
from .settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from .database import Database


def main() -> None:
    """Run `serve` (the default) or `migrate`; a bad setting ends either with exit code 2."""
    parser = argparse.ArgumentParser(prog=NAME, description=f"Run {NAME}.")
    parser.add_argument("command", nargs="?", choices=["serve", "migrate"], default="serve")
    command = parser.parse_args().command
    configure_logs("info")
    try:
        settings = load_settings()
        if command == "serve":
            listen(settings.host, settings.port).close()
    except SettingsError as error:
        logging.getLogger(__name__).critical("%s", error)
        sys.exit(2)
    configure_logs(settings.log_level)
    try:
        run(command, settings)
    except SettingsError as error:  # it was found out only when the address was used
        logging.getLogger(__name__).critical("%s", error)
        sys.exit(2)


def run(command: str, settings: Settings) -> None:
    """Run the command. On SQLite `serve` migrates first, because nobody else would."""
    # Imported here because it takes a second; a bad setting is reported before that.
    from .database import Database  # noqa: PLC0415
    from .server import serve  # noqa: PLC0415

    if command == "migrate" or settings.on_sqlite:
        database = Database(settings)
        # A file that is locked or missing does not prevent serving: readiness reports it.
        if command == "migrate" or database.checks().get("schema") is False:
            _migrate(database)
        database.close()  # a server that forks must not hand down an open connection
    if command == "serve":
        serve(settings)


def _migrate(database: "Database") -> None:
    from .locks import Locked  # noqa: PLC0415

    try:
        database.migrate()
    except Locked as error:
        logging.getLogger(__name__).critical("%s", error)
        sys.exit(1)
