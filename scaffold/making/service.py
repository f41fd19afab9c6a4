"""Puts a service on disk: its files, then its lock and its first commit."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scaffold.catalog.catalog import Catalog, Framework
from scaffold.errors import Interrupted, TargetError
from scaffold.escaping import quote_path
from scaffold.making import post_generate, staging

# What follows once the files stand: its name, what is being done, how it is done.
STEPS: Mapping[str, tuple[str, Callable[[Path], str | None]]] = {
    "lock": ("Locking dependencies", post_generate.lock),
    "git": ("Creating the first commit", post_generate.first_commit),
}
# What a run says that was interrupted before the service was in place.
NOTHING_WRITTEN = "Interrupted. Nothing was written."
README = "README.md"
RUN = re.compile(r"^## Run$.*?^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Made(NamedTuple):
    """A service at `path`, of `version` of its template, with its files relative to it.

    `run` has the commands that start it, as its README has them; none if nothing was written.
    """

    path: Path
    framework: str
    version: str
    files: list[str]
    warnings: list[str]
    run: Sequence[str] = ()


def create(
    catalog: Catalog,
    answers: Mapping[str, Any],
    output: Path,
    steps: Collection[str],
    progress: Callable[[str], None],
    dry_run: bool,
) -> Made:
    """Generates the service of `answers` as a folder of its name in `output`.

    `steps` are the names of those of STEPS that follow. `progress` is told what is going on. With
    `dry_run` nothing is written. Raises TargetError, and Interrupted where a service stands.
    """
    try:
        target = output.absolute() / answers["name"]
        if not dry_run:
            staging.remove_abandoned(target)
        staging.refuse_taken(target)
    except OSError as error:
        raise TargetError(_cannot_write(output / answers["name"], error)) from error
    try:
        return _created(catalog, answers, output, steps, progress, dry_run)
    except KeyboardInterrupt:
        if refusal(output, answers["name"]):  # it came when the service was in place
            raise Interrupted(whole(target)) from None
        raise


def _created(
    catalog: Catalog,
    answers: Mapping[str, Any],
    output: Path,
    steps: Collection[str],
    progress: Callable[[str], None],
    dry_run: bool,
) -> Made:
    from scaffold.making import render

    chosen = catalog.framework(answers["framework"])
    target = output.absolute() / answers["name"]
    warnings = [f"{chosen.name}: {chosen.facts.caution}."] if chosen.facts.caution else []
    if dry_run:
        files = _previewed(catalog, answers)
        return Made(target, chosen.id, catalog.origin.revision, files, warnings)
    progress("Writing files ...")
    try:
        files = render.make(catalog.root, answers, target, catalog.origin)
    except OSError as error:
        raise TargetError(_cannot_write(output / answers["name"], error)) from error
    warnings += _finish(target, steps, progress)
    run = commands_to_run(target) if README in files else []
    return Made(target, chosen.id, catalog.origin.revision, files, warnings, run)


def commands_to_run(service: Path) -> list[str]:
    """Those under "Run" in its README, but for `uv sync`, which `uv run` does by itself."""
    found = RUN.search((service / README).read_text(encoding="utf-8"))
    return [line for line in found[1].splitlines() if line != "uv sync"] if found else []


def preview(catalog: Catalog, framework: Framework) -> list[str]:
    """The files of a service of `framework` with the defaults; none where it has no template."""
    if not framework.has_template:
        return []
    defaults = {q.id: "" if q.default is None else q.default for q in catalog.fields}
    return _previewed(catalog, defaults | {"name": "my-svc", "framework": framework.id})


def refusal(output: Path, name: str) -> str | None:
    """Why `output` cannot take a new folder called `name`, as the end of a sentence."""
    try:
        staging.refuse_taken(output / name)
    except TargetError as refused:
        return str(refused).rstrip(".")
    return None


def _previewed(catalog: Catalog, answers: Mapping[str, Any]) -> list[str]:
    from scaffold.making import render

    try:
        return render.preview(catalog.root, answers)
    except OSError as error:
        why = error.strerror or error
        raise TargetError(
            f"The temporary folder cannot be written: {why}. Set TMPDIR to use another one."
        ) from error


def _finish(target: Path, steps: Collection[str], progress: Callable[[str], None]) -> list[str]:
    warnings = []
    doing = ""
    try:
        for step in steps:
            doing, act = STEPS[step]
            progress(f"{doing} ...")
            warnings.append(act(target))
    except KeyboardInterrupt:
        raise Interrupted(whole(target, but=doing.lower())) from None
    return [warning for warning in warnings if warning]


def whole(target: Path, but: str = "") -> str:
    """What a run says that was interrupted when the service was in place."""
    unfinished = f", but this step was not finished: {but}" if but else ""
    return f"Interrupted. {quote_path(target)} is complete{unfinished}."


def _cannot_write(target: Path, error: OSError) -> str:
    return f"{quote_path(target)} cannot be written: {error.strerror or error}."
