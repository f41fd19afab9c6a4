"""`makemigrations`, formatting the migrations that it writes."""

import shutil
import subprocess
from typing import Any

from django.core.management.commands import makemigrations


class Command(makemigrations.Command):
    """Formats migrations with ruff; Django itself would only use black."""

    written_files: list[str]

    def write_migration_files(self, *args: Any, **options: Any) -> None:
        super().write_migration_files(*args, **options)
        ruff = shutil.which("ruff")
        if ruff and self.written_files:
            for command in (["check", "--quiet", "--fix"], ["format", "--quiet"]):
                subprocess.run([ruff, *command, *self.written_files], check=False)  # noqa: S603
