"""Makes a service on disk: its files, then its lock and its first commit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scaffold import finish
from scaffold.catalog import Catalog, Framework
from scaffold.errors import Interrupted, TargetRefuses


@dataclass(frozen=True)
class Made:
    """A service at `path`, of `version` of its template, with its files relative to it."""

    path: Path
    framework: str
    version: str
    files: list[str]
    warnings: list[str]


def create(
    catalog: Catalog,
    answers: Mapping[str, str],
    output: Path,
    steps: tuple[str, ...],
    progress: Callable[[str], None],
    dry_run: bool,
) -> Made:
    """Makes the service of `answers` as a folder of its name in `output`.

    `steps` are the names of those of STEPS to take afterwards. `progress` is told what is going on.
    With `dry_run` nothing is written. Raises TargetRefuses; Interrupted once the service stands.
    """
    from scaffold import render, staging

    try:
        target = output.absolute() / answers["name"]
        if dry_run:
            staging.refuse_taken(target)
            files = render.preview(catalog.root, answers)
        else:
            files = render.make(catalog.root, answers, target)
    except OSError as error:
        raise TargetRefuses(_cannot_write(output / answers["name"], error)) from error
    chosen = catalog.framework(answers["framework"])
    warnings = [f"{chosen.name}: {chosen.facts.caution}."] if chosen.facts.caution else []
    warnings += [] if dry_run else _finish(target, answers["name"], steps, progress)
    return Made(target, chosen.id, render.VERSION, files, warnings)


def refusal(output: Path, name: str) -> str | None:
    """Why `output` cannot take a new folder called `name`, as the end of a sentence."""
    from scaffold import staging

    try:
        staging.refuse_taken(output / name)
    except TargetRefuses as refused:
        return str(refused).rstrip(".")
    return None


def preview(catalog: Catalog, framework: Framework) -> list[str]:
    """The files of a service of `framework` with the defaults; none where it has no template."""
    from scaffold import render

    if not framework.has_template:
        return []
    defaults = {q.id: q.default or "" for q in catalog.fields}
    return render.preview(catalog.root, defaults | {"name": "my-svc", "framework": framework.id})


def _cannot_write(target: Path, error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{target} cannot be written: {error.strerror or error}{where}."


STEPS: Mapping[str, tuple[str, Callable[[Path], str | None]]] = {
    "lock": ("Locking its dependencies", finish.lock),
    "git": ("Making its first commit", finish.first_commit),
}


def _finish(
    target: Path, name: str, steps: tuple[str, ...], progress: Callable[[str], None]
) -> list[str]:
    warnings = []
    for step in steps:
        doing, act = STEPS[step]
        progress(f"{doing} ...")
        try:
            warnings.append(act(target))
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"Interrupted: {name} is whole, but this was not done: {step}."
            ) from error
    return [warning for warning in warnings if warning]
