"""What asking for help and making a project cost with the tools that people would take instead.

    python benchmarks/peers.py [--runs 3] [--only copier,jhipster] [--tools FOLDER] [--write]

Each tool comes from its package index in its newest release, uv from the PATH, and scaffold from
this checkout, each into a folder of its own below FOLDER, which is kept for the next time; a
temporary one where none is given. The tools take turns. Of each: the least CPU seconds of `--help`
and of making a project (user and system, of all processes that were started, also of those that
outlive the command), the least of the clock, the files and lines that were made, and what of it is
not made without a network. What the first round does fills the caches and is not
counted. What installs what it made does so here only where it cannot be told not to.

Prints the table; `--write` puts a whole run into docs/data/peers.json and docs/compared.md. Needs
Linux, uv, git and, for nest and jhipster, npm. Takes about three minutes, two more where the tools
are not installed yet.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))

from benchmarks.bad_input.tools import (  # noqa: E402
    write_cookiecutter_template,
    write_copier_template,
)
from benchmarks.serving import machine  # noqa: E402
from docs import peers as page  # noqa: E402
from docs import tables  # noqa: E402

OURS = "scaffold-microservices"
PATIENCE = 600.0  # seconds
ORPHANS_SECONDS = 30.0
PR_SET_CHILD_SUBREAPER = 36
NO_NETWORK = ("unshare", "--map-root-user", "--net")
# Made by installing, compiling or committing; not part of what was asked for.
NOT_THE_PROJECT = {".git", ".venv", "uv.lock", "__pycache__", ".ruff_cache", ".mypy_cache"}
FOREIGN = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"}
WHO = {f"GIT_{role}_{key}": "ada@example.com" for role in ("AUTHOR", "COMMITTER")
       for key in ("NAME", "EMAIL")}  # fmt: skip
JDL = """\
application {
  config {
    baseName mysvc
    applicationType microservice
    packageName com.example.mysvc
    authenticationType jwt
    prodDatabaseType postgresql
    serviceDiscoveryType no
    buildTool maven
  }
}
"""


class Failed(Exception):
    """A tool that cannot be had, or that did not make what it was asked for."""


@dataclass(frozen=True)
class Peer:
    """A tool, and the words that make a project with it.

    `package` is what is installed, from the package index of Python or, where `node`, of npm; a
    tool without one is on the PATH. In `words` TEMPLATE stands for the folder that `template` has
    written. `files` lie where the command runs.
    """

    title: str
    command: str
    words: Sequence[str]
    package: str = ""
    source: str = ""
    node: bool = False
    template: Callable[[Path], None] | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def install(self, at: Path) -> None:
        if self.template and not (at / "template").exists():
            at.mkdir(parents=True, exist_ok=True)
            self.template(at / "template")
        if self.node:
            quietly("npm", "install", "--no-audit", "--no-fund", "--prefix", at, self.package)
        elif self.package:
            quietly("uv", "venv", "--clear", "-p", sys.executable, at / "env")
            fresh = ("--refresh-package", self.package) if self.source else ()
            what = self.source or self.package
            quietly("uv", "pip", "install", *fresh, "-p", at / "env/bin/python", what)

    def program(self, at: Path) -> str:
        if self.node:
            return str(at / "node_modules" / ".bin" / self.command)
        return str(at / "env" / "bin" / self.command) if self.package else self.command

    def version(self, at: Path) -> str:
        if self.node:
            manifest = at / "node_modules" / self.package / "package.json"
            return str(json.loads(manifest.read_text())["version"])
        if not self.package:
            return quietly(self.command, "--version").split()[1]
        asked = f"from importlib.metadata import version; print(version({self.package!r}))"
        return quietly(at / "env" / "bin" / "python", "-c", asked).strip()

    def help(self, at: Path) -> list[str]:
        return [self.program(at), "--help"]

    def generate(self, at: Path, folder: Path) -> list[str]:
        for name, text in self.files.items():
            (folder / name).write_text(text)
        template = str(at / "template")
        return [self.program(at), *(template if w == "TEMPLATE" else w for w in self.words)]


def write_own_template(folder: Path) -> None:
    """The templates of this checkout, in a folder that is no repository of git."""
    folder.mkdir()
    shutil.copy(REPOSITORY / "copier.yml", folder)
    shutil.copytree(REPOSITORY / "templates", folder / "templates")


NEW = ("new", "my-svc", "--framework", "flask", "--defaults")
COPY = ("copy", "--quiet", "--defaults")
FASTAPI_TEMPLATE = Peer(
    title="FastAPI-template (s3rius), with PostgreSQL and an example",
    package="fastapi_template",
    command="fastapi_template",
    words=(
        *("--quiet", "--name", "my_svc", "--api-type", "rest", "--db", "postgresql"),
        *("--orm", "sqlalchemy", "--ci", "none", "--migrations", "--dummy", "--routers"),
    ),
)
PEERS = (
    Peer(title="uv init", command="uv", words=("init", "my-svc")),
    Peer(
        title="cookiecutter, with a template of five files",
        package="cookiecutter",
        command="cookiecutter",
        template=write_cookiecutter_template,
        words=("--no-input", "TEMPLATE", "project_name=my_svc"),
    ),
    Peer(
        title="copier, with the same template",
        package="copier",
        command="copier",
        template=write_copier_template,
        words=(*COPY, "--data", "project_name=my_svc", "TEMPLATE", "project"),
    ),
    Peer(
        title="copier, with scaffold's template for Flask",
        package="copier",
        command="copier",
        template=write_own_template,
        words=(*COPY, "--data", "name=my-svc", "--data", "framework=flask", "TEMPLATE", "my-svc"),
    ),
    Peer(title="PyScaffold", package="pyscaffold", command="putup", words=("my_svc",)),
    FASTAPI_TEMPLATE,
    Peer(
        title="nest new",
        package="@nestjs/cli",
        node=True,
        command="nest",
        words=("new", "my-svc", "--skip-install", "--skip-git", "--package-manager", "npm"),
    ),
    Peer(
        title="jhipster, a microservice",
        package="generator-jhipster",
        node=True,
        command="jhipster",
        files={"app.jdl": JDL},
        words=("jdl", "app.jdl", "--skip-install", "--skip-git", "--force", "--no-insight"),
    ),
    Peer(
        title="scaffold, Flask, without lock and first commit",
        package=OURS,
        source=str(REPOSITORY),
        command="scaffold",
        words=(*NEW, "--no-lock", "--no-git"),
    ),
    Peer(
        title="scaffold, Flask",
        package=OURS,
        source=str(REPOSITORY),
        command="scaffold",
        words=NEW,
    ),
)


@dataclass
class Spent:
    """The least of several runs, in seconds."""

    cpu: float = float("inf")
    clock: float = float("inf")

    def take(self, cpu: float, clock: float) -> None:
        self.cpu, self.clock = min(self.cpu, cpu), min(self.clock, clock)


@dataclass
class Found:
    """What is known of one tool."""

    version: str
    help: Spent = field(default_factory=Spent)
    generate: Spent = field(default_factory=Spent)
    files: int = 0
    lines: int = 0
    missing_offline: list[str] | None = None

    def record(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "help_cpu_seconds": round(self.help.cpu, 3),
            "generate_cpu_seconds": round(self.generate.cpu, 3),
            "generate_seconds": round(self.generate.clock, 2),
            "files": self.files,
            "lines": self.lines,
            "missing_offline": self.missing_offline,
        }


@dataclass(frozen=True)
class Bench:
    """The folder of the tools, and what they run in: one home for all runs, which is no one's."""

    tools: Path

    def at(self, peer: Peer) -> Path:
        return self.tools / "".join(c if c.isalnum() else "-" for c in peer.title)

    def variables(self, peer: Peer) -> dict[str, str]:
        home = self.tools / "home"
        home.mkdir(parents=True, exist_ok=True)
        own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return own | WHO | {
            "PATH": f"{self.at(peer) / 'env' / 'bin'}:{own['PATH']}",
            "HOME": str(home),
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "UV_CACHE_DIR": quietly("uv", "cache", "dir").strip(),
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
        }  # fmt: skip

    def round(self, peer: Peer, found: Found, *, counts: bool) -> None:
        """Help, and a project in an empty folder. The round that does not count looks at it."""
        at, variables = self.at(peer), self.variables(peer)
        with tempfile.TemporaryDirectory(prefix="peer-") as name:
            folder = Path(name)
            helped = run(peer.help(at), folder, variables)
            words = peer.generate(at, folder)
            before = set(project_files(folder))
            made = run(words, folder, variables)
            if counts:
                found.help.take(*helped)
                found.generate.take(*made)
                return
            files = set(project_files(folder)) - before
            whole = {path for path, _ in files} | done(folder)
        if not files:
            raise Failed(f"{' '.join(words)}: has made nothing")
        found.files, found.lines = len(files), sum(lines for _, lines in files)
        found.missing_offline = self.missing_offline(peer, whole)

    def missing_offline(self, peer: Peer, whole: set[str]) -> list[str] | None:
        """What is not made without a network; None where the network cannot be taken away."""
        if subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode:
            return None
        with tempfile.TemporaryDirectory(prefix="peer-") as name:
            folder = Path(name)
            words = peer.generate(self.at(peer), folder)
            try:
                run([*NO_NETWORK, *words], folder, self.variables(peer))
            except Failed:
                return ["everything"]
            return sorted(whole - {path for path, _ in project_files(folder)} - done(folder))


def project_files(folder: Path) -> Iterator[tuple[str, int]]:
    """The path of every file that belongs to the project, and how many lines it has."""
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.is_file() and not path.is_symlink() and not NOT_THE_PROJECT & set(inner.parts):
            yield str(inner), path.read_bytes().count(b"\n")


def done(folder: Path) -> set[str]:
    """What was done beside writing the project: a lock, an environment, a commit."""
    made = {
        "lock": any(folder.glob("*/uv.lock")),
        "environment": any(folder.glob("*/.venv/lib/*/site-packages/*.dist-info")),
        "first commit": any(folder.glob("*/.git/refs/heads/*")),
    }
    return {name for name, is_there in made.items() if is_there}


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> tuple[float, float]:
    """CPU seconds of all that was started, and seconds of the clock. `Failed` where it fails."""
    before, began = cpu_seconds(), time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            end_children()
            raise Failed(f"{' '.join(command)}: not done after {PATIENCE:g} s") from None
        clock = time.monotonic() - began
        reap_orphans()
        if code:
            said.seek(0)
            words = said.read()[-2000:].decode(errors="replace")
            raise Failed(f"{' '.join(command)}: exit {code}\n{words}")
    return cpu_seconds() - before, clock


def cpu_seconds() -> float:
    """User and system time of all the processes started from here that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def adopt_orphans() -> None:
    """From now on what a command leaves running is a child of this process, and is counted."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise Failed("the kernel does not hand over orphans (prctl)")


def reap_orphans() -> None:
    """Wait for what a command has left running; end it where it does not end by itself."""
    deadline = time.monotonic() + ORPHANS_SECONDS
    with contextlib.suppress(ChildProcessError):
        while True:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
            if time.monotonic() > deadline:
                end_children()
                return
            time.sleep(0.02)


def end_children() -> None:
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0)[0]:
            pass


def quietly(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def measure(bench: Bench, chosen: Sequence[Peer], runs: int) -> dict[str, Found]:
    """What was found of each tool, by its title."""
    found = {}
    for peer in chosen:
        print(f"{peer.title}: install", file=sys.stderr, flush=True)
        at = bench.at(peer)
        if peer.source or not Path(peer.program(at)).exists():
            shutil.rmtree(at, ignore_errors=True)
            peer.install(at)
        elif peer.template is write_own_template:
            shutil.rmtree(at / "template")
            peer.template(at / "template")
        found[peer.title] = Found(peer.version(at))
    for number in range(runs + 1):
        for peer in chosen:
            bench.round(peer, found[peer.title], counts=number > 0)
            told = found[peer.title].generate.cpu
            print(f"{number} of {runs}: {peer.title}: {told:.2f}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="beginnings of titles, with commas")
    parser.add_argument("--tools", type=Path, help="where the tools are installed, and stay")
    parser.add_argument("--write", action="store_true", help="into docs/data and the page")
    given = parser.parse_args()
    chosen = [peer for peer in PEERS if peer.title.startswith(tuple(given.only.split(",")))]
    if given.write and len(chosen) < len(PEERS):
        raise SystemExit("--write takes a whole run: every tool")
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        folder = given.tools or stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-"))
        try:
            adopt_orphans()
            found = measure(Bench(Path(folder).resolve()), chosen, given.runs)
        except Failed as failure:
            raise SystemExit(str(failure)) from None
    record = {
        "date": date.today().isoformat(),
        "machine": machine.machine(),
        "load": round(load, 1),
        "python": sys.version.split()[0],
        "node": node_version(),
        "runs": given.runs,
        "tools": {title: one.record() for title, one in found.items()},
    }
    print("\n".join(page.told(record)))
    if given.write:
        page.RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        tables.main()


def node_version() -> str:
    return quietly("node", "--version").strip().removeprefix("v") if shutil.which("node") else ""


if __name__ == "__main__":
    main()
