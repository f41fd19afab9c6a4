"""Wheels at three versions, built from a clone without tags, each installed on its own.

The second and the third release change what every service has: files that all share, the
framework's own file, a file that comes and goes, a question.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from scaffold.catalog import history
from tests.contract.test_process import without_network
from tests.services import REPOSITORY
from tests.tool.lineage import SOMEBODY, commit, git, set_version

VERSIONS = ("0.1.0", "99.1.0", "99.2.0")
QUESTION = """
tier:
  type: str
  help: Which tier is it in?
  default: standard
  choices: [standard, critical]
"""
NEWS = """## [Unreleased]

## [{version}] - 2027-01-31

### In your service

- What {version} brings.

## [{before}] - 2027-01-01
"""


@dataclass(frozen=True)
class Tool:
    """What a wheel installs into an environment of its own; it reaches no network."""

    environment: Path

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.environment / "bin" / "scaffold"), *arguments]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return subprocess.run(
            without_network(command),
            cwd=folder,
            env=kept | SOMEBODY | {"UV_OFFLINE": "1", "UV_PYTHON": sys.executable},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def make_tools(folder: Path) -> dict[str, Tool]:
    """The tool of each version, the earliest first."""
    clone = clone_of_repository(folder / "clone")
    tools = {}
    for version, change in zip(VERSIONS, (_nothing, _second, _third), strict=True):
        change(clone)
        set_version(clone, version)
        commit(clone, f"Release {version}")
        tools[version] = _installed(_wheel(clone, folder / "dist" / version), folder / version)
        commit(clone, "Work that changes no version")
    return tools


def clone_of_repository(folder: Path) -> Path:
    """The whole history without a tag, and the files as they lie in the repository now."""
    git(folder.parent, "clone", "--quiet", "--no-tags", REPOSITORY.as_uri(), str(folder))
    for name in git(folder, "ls-files", "-z").split("\0"):
        (folder / name).unlink(missing_ok=True) if name else None
    listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, git(REPOSITORY, *listed).split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    commit(folder, "As it is now")
    assert git(folder, "tag") == ""
    return folder


def project_folders(root: Path) -> list[Path]:
    return sorted(root.glob("templates/*/project"))


def own_file(project: Path) -> Path:
    """The file with the framework's own way of answering for items, of a template or a service."""
    (found,) = (
        file
        for name in ("routes.py", "views.py")
        for file in project.glob(f"src/*/*/{name}*")
        if file.parent.name != "runtime"
    )
    return found


def _nothing(root: Path) -> None:
    assert history.version_in((root / history.VERSION_FILE).read_text()) == VERSIONS[0]


def _second(root: Path) -> None:
    _put_first(root / "templates/shared/Dockerfile.jinja", "# The second release.\n")
    _append(root / "templates/shared/AGENTS.md.jinja", "\nThe second release says more.\n")
    for project in project_folders(root):
        _put_before_imports(own_file(project), "# The second release.\n")
        (project / "second.md").write_text("Of the second release alone.\n")
    _news(root, VERSIONS[1])


def _third(root: Path) -> None:
    dockerfile = root / "templates/shared/Dockerfile.jinja"
    dockerfile.write_text(dockerfile.read_text().replace("# The second", "# The third", 1))
    for project in project_folders(root):
        own = own_file(project)
        own.write_text(own.read_text().replace("# The second", "# The third", 1))
        (project / "second.md").unlink()
        (project / "third.md.jinja").write_text("The tier is {{ tier }}.\n")
    _put_first(root / "templates/shared/pyproject.toml.jinja", "# The third release.\n")
    with (root / "copier.yml").open("a") as questions:
        questions.write(QUESTION)
    _news(root, VERSIONS[2])


def _put_first(file: Path, line: str) -> None:
    """Before all that is printed; what Jinja has to have first stays first."""
    text = file.read_text()
    head = re.match(r"(?:\{%.*?%\}\n|\{#.*?#\}\n)*", text, re.DOTALL)
    at = head.end() if head else 0
    file.write_text(text[:at] + line + text[at:])


def _append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def _put_before_imports(file: Path, line: str) -> None:
    file.write_text(re.sub(r"^(?=import |from )", line, file.read_text(), count=1, flags=re.M))


def _news(root: Path, version: str) -> None:
    changelog = root / "CHANGELOG.md"
    before = VERSIONS[VERSIONS.index(version) - 1]
    news = NEWS.format(version=version, before=before)
    text = re.sub(rf"^## \[{re.escape(before)}\].*\n", "", changelog.read_text(), flags=re.M)
    changelog.write_text(re.sub(r"^## \[Unreleased\].*\n", lambda _: news, text, flags=re.M))


def _wheel(root: Path, folder: Path) -> Path:
    _ran("uv", "build", "--wheel", "--quiet", "--out-dir", str(folder), str(root), cwd=root)
    (built,) = folder.glob("*.whl")
    return built


def _installed(wheel: Path, environment: Path) -> Tool:
    """An environment with nothing but the wheel; it sees the libraries of this one."""
    _ran("uv", "venv", "--quiet", str(environment), cwd=wheel.parent)
    python = str(environment / "bin" / "python")
    words = ("uv", "pip", "install", "--quiet", "--offline", "--no-deps", "-p", python)
    _ran(*words, str(wheel), cwd=wheel.parent)
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return Tool(environment)


def _ran(*command: str, cwd: Path) -> str:
    kept = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
