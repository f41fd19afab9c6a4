"""Services of declarations that hypothesis draws: made, and put through all that is to be seen."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from scaffold.resources import short_form
from scaffold.resources.model import Resource
from tests.contract.databases import Database
from tests.contract.declarations import as_data, as_options
from tests.services import (
    PACKAGE,
    REPOSITORY,
    Project,
    features,
    lend_environment,
    lent_environment,
    plain_environment,
    render,
)
from tests.tool.declarations import declarations

LONGEST_SECONDS = 600


@functools.cache
def drawn(count: int, seed: int) -> tuple[tuple[Resource, ...], ...]:
    """The first declarations that a seed leads to, the same in every process."""
    found: list[tuple[Resource, ...]] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(declarations())
    def draw(resources: tuple[Resource, ...]) -> None:
        found.append(resources)

    draw()
    return tuple(found[:count])


@dataclass(frozen=True)
class DrawnService:
    """A project that is rendered in `folder`, and runs by what is installed for the `lender`."""

    framework: str
    folder: Path
    resources: tuple[Resource, ...]
    lender: Project
    environment: Mapping[str, str]

    @classmethod
    def made(
        cls,
        folder: Path,
        resources: tuple[Resource, ...],
        lender: Project,
        environment: Mapping[str, str],
    ) -> DrawnService:
        """Rendered over the one before: what mypy knows of it is mostly still true."""
        known = folder / ".mypy_cache"
        aside = folder.with_name(f"{folder.name}-mypy")
        if known.exists():
            known.rename(aside)
        shutil.rmtree(folder, ignore_errors=True)
        render(lender.framework, folder, resources=as_data(resources))
        if aside.exists():
            aside.rename(known)
        lend_environment(lender.folder, folder)
        return cls(lender.framework, folder, resources, lender, environment)

    def python(self, *arguments: str, **environment: str) -> str | None:
        """Run Python in the project; what it printed if it failed."""
        known = {**plain_environment(), **self.lender.surroundings, **self.environment}
        known |= lent_environment(self.folder) | environment
        return ran([str(self.folder / ".venv/bin/python"), *arguments], self.folder, known)

    def complaints(self, database: Database, own_tests: Mapping[str, str]) -> Iterator[str]:
        """Everything that is wrong with it, by step."""
        for name, arguments in (
            ("lint", ["-m", "ruff", "check", "--no-cache"]),
            ("format", ["-m", "ruff", "format", "--check", "--diff", "--no-cache"]),
            ("types", ["-m", "mypy", "--strict"]),
        ):
            if said := self.python(*arguments):
                yield f"{name}: {said}"
        yield from self._migrations(database)
        own = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", *self._own_tests()]
        if said := self.python(*own, **own_tests):
            yield f"own tests: {said}"
        if said := self._lines(database.kind):
            yield f"resource lines: {said}"

    def _own_tests(self) -> list[str]:
        """Its modules of tests but for those that are the same in every service of the framework.

        They and what they test are run by P1, in a service of the example.
        """
        return [
            str(path.relative_to(self.folder))
            for path in sorted(self.folder.glob("tests/test_*.py"))
            if path.read_bytes() != self._of_the_lender(path)
        ]

    def _of_the_lender(self, path: Path) -> bytes | None:
        there = self.lender.folder / path.relative_to(self.folder)
        return there.read_bytes() if there.exists() else None

    def _migrations(self, database: Database) -> Iterator[str]:
        """Up, down and up again lead to the same schema, and nothing is left to migrate."""
        known = {"DATABASE_URL": database.url}
        django = "django_migrations" in features(self.framework)
        check = ["manage.py", "makemigrations", "--check", "--dry-run"]
        down = [["manage.py", "migrate", one.plural, "zero"] for one in self.resources]
        if not django:
            check, down = ["-m", "alembic", "check"], [["-m", "alembic", "downgrade", "base"]]
        up = ["-m", PACKAGE, "migrate"]
        if said := self.python(*up, **known):
            yield f"migrate: {said}"
            return
        schema = database.schema()
        if said := self.python(*check, **known):
            yield f"check of migrations: {said}"
        for step in down:
            if said := self.python(*step, **known):
                yield f"migrate down: {said}"
        plurals = {one.plural for one in self.resources}
        if left := [row for row in database.schema() if plurals & set(row)]:
            yield f"left after migrating down: {left}"
        if said := self.python(*up, **known):
            yield f"migrate up again: {said}"
        if database.schema() != schema:
            yield f"another schema after down and up: {set(database.schema()) ^ set(schema)}"

    def command(self, database: str, project: str) -> list[str]:
        """What asks a service of these resources for the resource lines of the contract."""
        words = ["-m", "pytest", "tests/contract/resources", "-q", "--tb=short"]
        words += ["--framework", self.framework, "--database", database]
        words += ["--project", f"{self.framework}={project}"] if project else []
        return [*words, *(f"--resource={short_form.short_form(one)}" for one in self.resources)]

    def _lines(self, database: str) -> str | None:
        known = {**os.environ, **self.environment}
        for name in ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS"):
            known.pop(name, None)
        said = ran([sys.executable, *self.command(database, str(self.folder))], REPOSITORY, known)
        if said is None:
            return None
        told = [line for line in said.splitlines() if re.match("E  |FAILED|ERROR|tests/", line)]
        return "\n".join(told[:150]) or said

    def replay(self) -> str:
        """What a failure is repeated by."""
        return f"--framework {self.framework} \\\n  {as_options(self.resources)}"


def ran(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str | None:
    """What a command printed if it failed."""
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not over after {LONGEST_SECONDS} s"
    return (ended.stdout + ended.stderr)[-8000:] if ended.returncode else None
