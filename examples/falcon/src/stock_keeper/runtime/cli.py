"""The command line of the service."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from .. import NAME
from .address import listen
from .logs import configure_logs
from .settings import Settings, SettingsError, load_settings
from .workers import shared_metrics

if TYPE_CHECKING:
    from .database import Database

_PACKAGE = __name__.partition(".")[0]


def main(**functions: str) -> None:
    """Run `serve` (the default), `dev`, `migrate`, `seed` or one of your own `functions`.

    An invalid setting ends each with exit code 2. Your own are named as `module:function` in the
    package, and called with the settings and the arguments that follow the command.
    """
    own = {name.replace("_", "-"): function for name, function in functions.items()}
    if len(sys.argv) > 1 and sys.argv[1] in own:
        start(partial(_run_own, own[sys.argv[1]], sys.argv[2:]), listens=False)
        return
    parser = argparse.ArgumentParser(prog=NAME, description=f"Run {NAME}.")
    commands = ["serve", "dev", "migrate", "seed", *own]
    parser.add_argument("command", nargs="?", choices=commands, default="serve")
    command = parser.parse_args().command
    if command == "dev":
        _develop()
    start(partial(run, command), listens=command == "serve")


def start(run: Callable[[Settings], None], *, listens: bool) -> None:
    """Run with valid settings; an invalid one ends the process with exit code 2."""
    configure_logs("info", os.environ.get("LOG_FORMAT", "auto").lower())
    try:
        settings = load_settings()
        if listens:
            listen(settings.host, settings.port).close()
        configure_logs(settings.log_level, settings.log_format)
        run(settings)
    except SettingsError as error:
        _refuse(error)


def _develop() -> None:
    try:
        # Its dependencies are installed only for development.
        from .development import develop  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"dev needs {error.name}, which is installed for development: uv sync")
    configure_logs("info", os.environ.get("LOG_FORMAT", "auto").lower())
    try:
        sys.exit(develop())
    except SettingsError as error:
        _refuse(error)


def _refuse(error: SettingsError) -> NoReturn:
    logging.getLogger(__name__).critical("%s", error)
    sys.exit(2)


def run(command: str, settings: Settings) -> None:
    """Run the command with a shared metrics folder for all workers."""
    with shared_metrics(settings.workers if command == "serve" else 1):
        _run(command, settings)


def _run_own(function: str, arguments: list[str], settings: Settings) -> None:
    from .database import Database  # noqa: PLC0415

    _prepare("", settings)
    Database(settings).close()  # which sets Django up, so that its models can be imported
    module, _, name = function.partition(":")
    getattr(import_module(f"{_PACKAGE}.{module}"), name)(settings, arguments)


def _run(command: str, settings: Settings) -> None:
    """Run the command. On SQLite every command migrates first, because nothing else would."""
    # Imported here because it takes a second; a bad setting is reported before that.
    from .seeding import seed  # noqa: PLC0415
    from .server import serve  # noqa: PLC0415

    _prepare(command, settings)
    if command == "serve":
        serve(settings)
    if command == "seed":
        seed(settings)


def _prepare(command: str, settings: Settings) -> None:
    """Migrate if this is the command for it, or if the schema of an SQLite file is outdated."""
    from .database import Database  # noqa: PLC0415

    if command == "migrate" or settings.on_sqlite:
        database = Database(settings)
        # A locked or missing file does not prevent serving: readiness reports it.
        if command == "migrate" or database.checks().get("schema") is False:
            migrate(database)
        database.close()  # a server that forks must not hand down an open connection


def migrate(database: "Database") -> None:
    """Migrate; the process exits if another one does not release its lock."""
    from .locks import Locked  # noqa: PLC0415

    try:
        database.migrate()
    except Locked as error:
        logging.getLogger(__name__).critical("%s", error)
        sys.exit(1)
