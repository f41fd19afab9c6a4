"""Makes a service from its template. copier, and plumbum by which it runs git, only here."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import copier
import plumbum

from scaffold import __version__
from scaffold.staging import staged

# A name that nobody can register: an update reads the templates from the installed package.
ADDRESS = "https://scaffold.invalid/templates.git"
ANSWERS_FILE = ".copier-answers.yml"
VERSION = f"v{__version__}"


def make(root: Path, answers: Mapping[str, str], target: Path) -> list[str]:
    """Makes the service of `answers` at `target`, whole or not at all; returns its files.

    `root` holds copier.yml and templates/. Raises TargetRefuses, or OSError from the disk.
    """
    with staged(target) as folder:
        _render(root, answers, folder)
        return files_in(folder)


def preview(root: Path, answers: Mapping[str, str]) -> list[str]:
    """The files that `make` would write."""
    with tempfile.TemporaryDirectory(prefix="scaffold-") as temporary:
        folder = Path(temporary) / answers["name"]
        _render(root, answers, folder)
        return files_in(folder)


def files_in(folder: Path) -> list[str]:
    """Every file under `folder`, as sorted paths relative to it, with forward slashes."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def _render(root: Path, answers: Mapping[str, str], folder: Path) -> None:
    with _without_git():
        copier.run_copy(
            str(root),
            folder,
            data=dict(answers),
            settings=copier.Settings(),  # the user's own file for copier has no say here
            defaults=True,
            overwrite=True,
            quiet=True,
            skip_tasks=True,
        )
    _record_source(folder / ANSWERS_FILE)


@contextmanager
def _without_git() -> Iterator[None]:
    """Hides git from copier.

    It would clone a checkout at its last tag instead of reading what lies there, and would run
    `git config` for each file that it writes: a third of the time of a run.
    """
    with plumbum.local.env(PATH=os.devnull):
        yield


def _record_source(answers_file: Path) -> None:
    """Names the source and version that an update starts from, and no path of this machine."""
    lines = f'_commit: "{VERSION}"\n_src_path: "{ADDRESS}"'
    text = answers_file.read_text(encoding="utf-8") if answers_file.exists() else ""
    replaced, count = re.subn("^_src_path: .*$", lines, text, flags=re.MULTILINE)
    if count != 1:
        raise RuntimeError(f"the template's {ANSWERS_FILE} does not record _src_path")
    answers_file.write_text(replaced, encoding="utf-8", newline="\n")
