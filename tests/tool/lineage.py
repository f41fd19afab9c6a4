"""A repository of small templates with three releases, and the package that each release installs.

What is installed is laid out as a wheel does it: the code, and in source/ the templates and the
bundle of releases. It is far from any repository.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scaffold import cli
from scaffold.catalog import catalog, history
from tests.tool.conftest import Checkout, Ran, make_checkout, write

FIRST, SECOND, THIRD = "0.1.0", "0.2.0", "0.3.0"
SOMEBODY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def text_of(subject: str) -> str:
    """Thirty lines that no other subject has."""
    return "".join(f"{subject} {number}\n" for number in range(1, 31))


GUIDE = text_of("line")
DROPPED = text_of("what is dropped")
MOVED = text_of("what is moved")
EXAMPLE = text_of("what is an example")
NEWER_MOVED = MOVED.replace("moved 3\n", "moved 3, said better\n")
NEWER_EXAMPLE = EXAMPLE.replace("example 3\n", "example 3, said better\n")
NEWER_GUIDE = GUIDE.replace("line 3\n", "line 3, said better\n")
NEWEST_GUIDE = NEWER_GUIDE.replace("line 9\n", "line 9, said better\n")
CHANGELOG = """# Changelog

## [Unreleased]

### In your service

- The guide says line 9 better.
- A new question: which tier it is in.

## [0.2.0] - 2027-01-31

### Added

- Something in the tool, which no service sees.

### In your service

- The guide says line 3 better,
  and that is all there is to it.

## [0.1.0] - 2027-01-01

### In your service

- Everything.
"""
TIER = """
tier:
  type: str
  help: Which tier is it in?
  default: standard
  choices: [standard, critical]
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=os.environ | SOMEBODY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (arguments, done.stdout + done.stderr)
    return done.stdout


def commit(folder: Path, message: str = "Work") -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD").strip()


def set_version(root: Path, version: str) -> None:
    file = root / "scaffold" / "__init__.py"
    old = history.version_in(file.read_text())
    file.write_text(file.read_text().replace(f'"{old}"', f'"{version}"'))


def project_of(root: Path, framework: str = "flask") -> Path:
    return root / "templates" / framework / "project"


@dataclass(frozen=True)
class Lineage:
    """The repository, and what each version installs."""

    repository: Path
    installed: Mapping[str, Checkout]

    def __getitem__(self, version: str) -> Checkout:
        return self.installed[version]


def make_lineage(folder: Path) -> Lineage:
    root = folder / "repository"
    root.mkdir()
    make_checkout(root)
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".gitignore").write_text("__pycache__/\n")
    installed = {}
    for version, change in ((FIRST, _first), (SECOND, _second), (THIRD, _third)):
        change(root)
        set_version(root, version)
        commit(root, version)
        installed[version] = install(root, folder / version)
    return Lineage(root, installed)


def _first(root: Path) -> None:
    files = {
        "guide.md": GUIDE,
        "dropped.md": DROPPED,
        "old-name.md": MOVED,
        "example/one.md": EXAMPLE,
        "parts/one.md": text_of("part one"),
        "parts/two.md": text_of("part two"),
        ".gitignore": "*.local\n",
        "pyproject.toml": "[project]\n",
    }
    for framework in ("flask", "tornado"):
        write(project_of(root, framework), files)


def _second(root: Path) -> None:
    for framework in ("flask", "tornado"):
        project = project_of(root, framework)
        write(project, {"guide.md": NEWER_GUIDE, "new-name.md": NEWER_MOVED, "added.md": "New.\n"})
        write(project, {"example/one.md": NEWER_EXAMPLE, "example/two.md": "Two.\n"})
        write(project, {"parts/three.md": "Three.\n", "scripts/run.md": "Run.\n"})
        (project / "dropped.md").unlink()
        (project / "old-name.md").unlink()


def _third(root: Path) -> None:
    for framework in ("flask", "tornado"):
        write(
            project_of(root, framework),
            {
                "guide.md": NEWEST_GUIDE,
                "tier.md.jinja": "{{ tier }}\n",
                "some.local": "New.\n",
                "pyproject.toml": "[project]\nname = 'x'\n",
            },
        )
    with (root / "copier.yml").open("a") as questions:
        questions.write(TIER)
    (root / "CHANGELOG.md").write_text(CHANGELOG)


def install(root: Path, site: Path) -> Checkout:
    """What a wheel of `root` as it is now unpacks to, in `site`."""
    shutil.copytree(root / "scaffold", site / "scaffold")
    source = site / "scaffold" / "source"
    source.mkdir()
    for name in ("copier.yml", "guidance.toml"):
        shutil.copy(root / name, source)
    if (root / "CHANGELOG.md").exists():
        shutil.copy(root / "CHANGELOG.md", source)
    shutil.copytree(root / "templates", source / "templates")
    history.bundle(root, source / "releases.bundle")
    return Checkout(site, own_code=True)


@dataclass(frozen=True)
class Owned:
    """A service in a repository of its owner's, and the tool that is installed there."""

    folder: Path
    tool: Checkout

    def with_tool(self, tool: Checkout) -> Owned:
        return replace(self, tool=tool)

    def edit(self, files: Mapping[str, str | bytes | None]) -> None:
        """Writes, or removes where it is None, and commits."""
        for name, content in files.items():
            path = self.folder / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        commit(self.folder)

    def run(self, *arguments: str, **environment: str) -> Ran:
        return run_inside(self.tool, self.folder, arguments, SOMEBODY | environment)

    def update(self, *arguments: str, **environment: str) -> Ran:
        return self.run("update", *arguments, **environment)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    @property
    def state(self) -> str:
        return git(self.folder, "status", "--porcelain")


def run_inside(
    tool: Checkout, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]
) -> Ran:
    """Runs a command of the tool in this process, with the templates that `tool` installs.

    A process of its own takes a second to start; what is installed by a wheel is run as such in
    tests/updates.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(folder)
        patch.setattr(catalog, "PACKAGE", tool.root / "scaffold")
        patch.delenv("SCAFFOLD_SOURCE", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(tool.root / "no-settings"))
        for name, value in environment.items():
            patch.setenv(name, value)
        code = cli.run(arguments)
        out.flush()
        err.flush()
    printed = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return Ran(code, *printed)
