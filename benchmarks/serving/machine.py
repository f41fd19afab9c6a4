"""What a measurement was made on, and with."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import date
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import psutil
import psycopg

# What a request goes through, where a service has it.
PACKAGES = ("granian", "djangorestframework", "sqlalchemy", "psycopg", "pydantic")


def circumstances(interpreter: str, admin_url: str | None) -> dict[str, Any]:
    """What a record of services under load says beside its figures; without PostgreSQL if none."""
    tools = {"wrk": wrk_version()}
    if admin_url:
        tools["postgresql"] = postgresql_version(admin_url)
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "python": python_version(interpreter),
        "tools": tools,
    }


def machine() -> dict[str, str | int]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "kernel": platform.release(),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def python_version(interpreter: str) -> str:
    script = "import platform; print(platform.python_version())"
    return subprocess.check_output([interpreter, "-c", script], text=True).strip()


def wrk_version() -> str:
    """wrk answers `-v` with its version in the first line, and with exit code 1."""
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split()[1].removeprefix("debian/").split("-")[0]


def postgresql_version(admin_url: str) -> str:
    with psycopg.connect(admin_url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]).split()[0] if row else ""


def package_versions(
    project: Path, framework_package: str, packages: Sequence[str] = PACKAGES
) -> dict[str, str]:
    """The versions of the framework and of what is below it, the framework first."""
    (folder,) = (project / ".venv" / "lib").glob("python*/site-packages")
    found = {
        (one.metadata["Name"] or "").lower().replace("_", "-"): one.version
        for one in distributions(path=[str(folder)])
    }
    wanted = (framework_package.lower().replace("_", "-"), *packages)
    return {name: found[name] for name in wanted if name in found}
