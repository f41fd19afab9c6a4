"""A folder of its own for one run: with a home, limits, and a record of what the run left."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tools import Tool

HERE = Path(__file__).parent
# Made by installing, compiling or committing; not part of what was asked for.
NOT_THE_PROJECT = {".git", ".venv", "uv.lock", "__pycache__", ".ruff_cache", ".mypy_cache"}
GIGABYTE = 1 << 30
IDENTITY = (
    "[user]\n  name = Someone\n  email = someone@example.com\n[init]\n  defaultBranch = main\n"
)


@dataclass(frozen=True)
class Ran:
    """What a run said and how it ended; `ended` is False where a limit ended it."""

    code: int
    said: str
    ended: bool

    @property
    def traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.said


@dataclass
class Box:
    """A run's surroundings. It works in `work`; whatever else appears in `root` is outside."""

    root: Path
    tool: Tool
    environment: Path
    template: Path
    cache: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.root / "inner" / "work"

    def prepare(self) -> None:
        self.work.mkdir(parents=True)
        home = self.root / "home"
        home.mkdir()
        (home / ".gitconfig").write_text(IDENTITY)
        self.variables = {
            "PATH": f"{self.environment / 'bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "UV_CACHE_DIR": str(self.cache),
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
            **{key: value for key, value in os.environ.items() if key.startswith(("UV_", "PIP_"))},
        }

    def command(self, arguments: Sequence[str]) -> list[str]:
        program = str(self.environment / "bin" / self.tool.command)
        return [program, *(str(self.template) if a == "TEMPLATE" else a for a in arguments)]

    def run(
        self,
        arguments: Sequence[str],
        variables: Mapping[str, str | None] | None = None,
        shell: str = '"$@"',
        memory: int = 8 * GIGABYTE,
    ) -> Ran:
        """Runs the tool in `work`, as the `"$@"` of a line of bash."""
        merged = {**self.variables, **(variables or {})}
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                ["bash", "-c", shell, "bash", *self.command(arguments)],
                cwd=self.work,
                env={key: value for key, value in merged.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=lambda: _limit(memory),
            )
            code, ended = _wait(process, self.tool.patience)
            said.seek(0)
            return Ran(code, said.read(1 << 20).decode(errors="replace"), ended)

    def left(self) -> list[str]:
        """What lies in `work` now, the folders of a project by their name alone."""
        return sorted(path.name for path in self.work.iterdir())

    def outside(self) -> list[str]:
        """What was written beside `work`, the home apart."""
        there = [*self.root.iterdir(), *(self.root / "inner").iterdir()]
        return sorted(p.name for p in there if p.name not in {"home", "inner", "work"})

    def whole(self) -> set[str]:
        """The files of a project that nothing disturbed."""
        if self.tool.title not in _whole:
            with box(self.tool, self.root.parent) as fresh:
                fresh.run(self.tool.named(self.tool.plain_name))
                made = fresh.project()
                _whole[self.tool.title] = set(content(made)) if made else set()
        return _whole[self.tool.title]

    def project(self) -> Path | None:
        """The folder that was made, if one was."""
        folders = [path for path in self.work.iterdir() if path.is_dir()]
        return folders[0] if folders else None


_whole: dict[str, set[str]] = {}


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 65))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _wait(process: subprocess.Popen[bytes], seconds: int) -> tuple[int, bool]:
    """The exit code, and whether it ended by itself. Nothing of it is left running."""
    try:
        code = process.wait(seconds)
        ended = code != -signal.SIGXCPU and code != 128 + signal.SIGXCPU
    except subprocess.TimeoutExpired:
        code, ended = -1, False
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return code, ended


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a project by its relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not NOT_THE_PROJECT & set(path.relative_to(folder).parts)
    }


def install(tool: Tool, folder: Path, python: str) -> str:
    """Makes an environment for one tool, with the breaker in it; the version that was installed."""
    at = str(folder / "bin" / "python")
    _quietly("uv", "venv", "-p", python, str(folder))
    # uv would take an earlier build of a checkout whose pyproject.toml has not changed.
    fresh = ("--refresh-package", tool.distribution) if tool.install else ()
    _quietly("uv", "pip", "install", *fresh, "-p", at, tool.install or tool.distribution)
    site = next((folder / "lib").glob("python*/site-packages"))
    shutil.copy(HERE / "breaker.py", site / "bad_input_breaker.py")
    (site / "bad_input_breaker.pth").write_text("import bad_input_breaker\n")
    asked = f"from importlib.metadata import version; print(version({tool.distribution!r}))"
    return _quietly(at, "-c", asked).strip()


def _quietly(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


@contextmanager
def box(tool: Tool, bench: Path) -> Iterator[Box]:
    """A fresh box for one case; `bench` holds the environments, the templates and the cache."""
    with tempfile.TemporaryDirectory(prefix="box-", dir=bench) as name:
        key = tool.command
        made = Box(
            Path(name), tool, bench / f"env-{key}", bench / f"template-{key}", bench / "cache"
        )
        made.prepare()
        yield made
