"""Generates a service from its template. copier and what it runs git with are used only here."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import copier
import plumbum
from jinja2.sandbox import SandboxedEnvironment

from scaffold.catalog import record
from scaffold.catalog.record import OWN, Origin
from scaffold.errors import BadAnswers, SourceError
from scaffold.making.formatting import format_code
from scaffold.making.staging import staged

# The options of an environment that a compiled template depends on.
DECIDING_HOW_TO_COMPILE = (
    "block_start_string block_end_string variable_start_string variable_end_string "
    "comment_start_string comment_end_string line_statement_prefix line_comment_prefix "
    "trim_blocks lstrip_blocks newline_sequence keep_trailing_newline autoescape finalize optimized"
).split()


def make(root: Path, answers: Mapping[str, Any], target: Path, origin: Origin = OWN) -> list[str]:
    """Generates the service of `answers` at `target`, completely or not at all; returns its files.

    `root` holds copier.yml and templates/, which come from `origin`. Raises TargetError,
    SourceError, or OSError from the disk.
    """
    with staged(target) as folder:
        render(root, answers, folder, origin)
        return files_in(folder)


def preview(root: Path, answers: Mapping[str, Any]) -> list[str]:
    """The files that `make` would write."""
    with tempfile.TemporaryDirectory(prefix="scaffold-") as temporary:
        folder = Path(temporary) / answers["name"]
        render(root, answers, folder)
        return files_in(folder)


def files_in(folder: Path) -> list[str]:
    """Every file under `folder`, as sorted paths relative to it, with forward slashes."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def render(root: Path, answers: Mapping[str, Any], folder: Path, origin: Origin = OWN) -> None:
    """Writes the service of `answers` into `folder`, by the templates in `root`.

    Nothing that the templates name is ever run. Raises SourceError where they ask for it, and
    BadAnswers where they do not take an answer.
    """
    try:
        with _without_git():
            copier.run_copy(
                str(root),
                folder,
                data=dict(answers),
                settings=copier.Settings(),  # the user's own file for copier has no say here
                defaults=True,
                overwrite=True,
                quiet=True,
            )
    except copier.errors.UnsafeTemplateError as error:
        raise SourceError(
            f"The templates of {origin.address} would run programs "
            "(tasks, migrations or extensions), which is not allowed."
        ) from error
    except copier.errors.CopierError as error:
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        raise SourceError(
            f"The templates of {origin.address} cannot be used ({message})."
        ) from error
    except ValueError as error:
        raise BadAnswers(f"{origin.revision} does not accept these answers: {error}") from error
    format_code(folder)
    record.write(folder, origin)


def compile_once() -> None:
    """From now on this process keeps every template that it has compiled.

    copier makes a new environment for each service, and so compiles all its templates again, which
    is more than half of the work. It matters where services are rendered by the hundred.
    """
    plain = SandboxedEnvironment.compile
    kept: dict[tuple[Any, ...], Any] = {}

    def compiled(environment: SandboxedEnvironment, source: Any, *rest: Any, **named: Any) -> Any:
        if not isinstance(source, str):
            return plain(environment, source, *rest, **named)
        settings = (getattr(environment, name) for name in DECIDING_HOW_TO_COMPILE)
        key = (source, rest, tuple(named.items()), *settings, *environment.extensions)
        if key in kept:
            environment.preprocess(source)  # copier's `yield` takes it for the start of a template
        else:
            kept[key] = plain(environment, source, *rest, **named)
        return kept[key]

    SandboxedEnvironment.compile = compiled  # type: ignore[method-assign, assignment]


@contextmanager
def _without_git() -> Iterator[None]:
    """Hides git from copier.

    It would clone a checkout at its last tag instead of reading what lies there, and would run
    `git config` for each file that it writes: a third of the time of a run.
    """
    with plumbum.local.env(PATH=os.devnull):
        yield
