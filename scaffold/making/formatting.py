"""Formats the Python code of a service: how it wraps depends on the names in its declarations."""

from pathlib import Path

from scaffold import programs
from scaffold.errors import SourceError

SETTINGS = "pyproject.toml"
# The template's own code is formatted already, and is the same in every service.
SHARED = "runtime"
STEPS = (
    "check --select=I --fix --quiet --no-cache".split(),
    "format --quiet --no-cache".split(),
)


def format_code(folder: Path) -> None:
    """Sorts the imports of the service in `folder` and wraps its lines, by its own settings.

    Raises SourceError if its code cannot be parsed.
    """
    settings = folder / SETTINGS
    # Each by its name: ruff would leave out what git ignores, and folders such as `build`.
    paths = (path.relative_to(folder) for path in folder.rglob("*.py"))
    files = [str(path) for path in paths if SHARED not in path.parts]
    if not files or not settings.is_file():
        return
    for step in STEPS:
        ended = programs.ruff(folder, *step, f"--config={settings}", *sorted(files))
        if ended.code:
            why = f"The templates generate code that cannot be formatted: {ended.complaint}"
            raise SourceError(why)
