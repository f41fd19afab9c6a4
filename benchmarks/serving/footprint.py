"""Tells what takes the memory of a service and the time of its start, package by package.

    python -m benchmarks.serving.footprint [--framework falcon,fastapi] [--write]

In a process of the service's interpreter, everything that it has imported by the time it serves is
imported group by group: first what it needs of the standard library, then the framework, the
server, the driver, and so on. After each group stand the memory (PSS) that it has added and the CPU
time that it took. Beside them stands what the service itself takes until its first 200 of
`/readyz`, on SQLite. Each figure is the lowest of three runs with cached files. `--write` puts them
into docs/data/footprint.json and the page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from benchmarks.serving import machine
from benchmarks.serving.__main__ import listed, write
from benchmarks.serving.bench import Bench, bench, tell
from benchmarks.serving.figures import significant
from benchmarks.serving.load import Refused
from docs import footprint as page
from docs import tables
from tests.services import PACKAGE, Project, frameworks, plain_environment, uv_environment

CHOSEN = ("falcon", "fastapi", "django", "tornado")
ROUNDS = 3
FRAMEWORKS = (
    "falcon fastapi starlette django rest_framework drf_spectacular tornado flask pyramid sanic"
)
GROUPS = {  # the packages of each; the framework's dependencies are in the last one
    "framework": FRAMEWORKS.split(),
    "server": ["granian"],
    "driver": ["sqlite3", "psycopg", "psycopg_binary"],
    "SQLAlchemy": ["sqlalchemy"],
    "pydantic": ["pydantic", "pydantic_core"],
    "settings": ["pydantic_settings", "dotenv"],
    "log, metrics": ["structlog", "prometheus_client"],
}
SCRIPT = """
import importlib, json, sys, time
def pss():
    for line in open("/proc/self/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
groups, last = json.loads(sys.argv[1]), pss()
found = {"interpreter": [last, 1e9 * time.process_time()]}
for group, modules in groups.items():
    began = time.process_time()
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:  # made by another module, or imported by the service once it is set up
            pass
    now = pss()
    found[group], last = [now - last, 1e9 * (time.process_time() - began)], now
if "service" in groups:
    began = time.process_time()
    importlib.import_module(groups["service"][-1].partition(".")[0] + ".app").create_app()
    now = pss()
    found["service"][0] += now - last
    found["service"][1] += 1e9 * (time.process_time() - began)
print(json.dumps(found))
"""
LIST = """
import importlib, json, sys
for name in ("runtime.cli", "runtime.server", "app"):
    importlib.import_module(f"{sys.argv[1]}.{name}")
importlib.import_module(sys.argv[1] + ".app").create_app()
own = [name for name in sys.modules if name != "__main__"]
print(json.dumps([own, sorted(sys.stdlib_module_names)]))
"""


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.footprint", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--framework", type=listed(frameworks()), default=list(CHOSEN))
    parser.add_argument("--write", action="store_true", help="into docs/data and the page")
    given = parser.parse_args(words)
    try:
        with bench(given.framework, with_postgresql=False) as stand:
            found = machine.circumstances(uv_environment()["UV_PYTHON"], None)
            found["rounds"] = ROUNDS
            found["frameworks"] = {}
            for name in given.framework:
                found["frameworks"][name] = measured(stand, name)
                if given.write:
                    write(page.RECORD, found)
    except (Refused, pytest.fail.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(page.told(found)))
    if given.write:
        write(page.RECORD, found)
        tables.main()
    return 0


def measured(stand: Bench, framework: str) -> dict[str, Any]:
    """Megabytes and milliseconds of each group, and of the service."""
    project = stand.project(framework)
    environment = {"DATABASE_URL": stand.databases.make("sqlite", project, 1)}
    environment = plain_environment() | dict(project.surroundings) | environment
    groups = grouped(*json.loads(_run(project, environment, LIST, PACKAGE)))
    runs = [
        json.loads(_run(project, environment, SCRIPT, json.dumps(groups))) for _ in range(ROUNDS)
    ]
    found = {
        group: {
            "mb": significant(min(run[group][0] for run in runs) / 1e6),
            "ms": significant(min(run[group][1] for run in runs) / 1e6),
        }
        for group in runs[0]
    }
    starts = [start(stand, project, environment["DATABASE_URL"]) for _ in range(ROUNDS)]
    served = {key: significant(min(one[key] for one in starts)) for key in starts[0]}
    tell(f"{framework}: {served['mb']:g} MB, {served['ms']:g} ms of CPU")
    return {"groups": found, "served": served}


def start(stand: Bench, project: Project, url: str) -> dict[str, float]:
    """What a service has taken when it has answered for the first time."""
    with stand.generated(project, url) as server:
        milliseconds = 1000 * server.cpu_seconds()
        return {"mb": server.memory_mb(), "ms": milliseconds}


def grouped(modules: Sequence[str], standard: Sequence[str]) -> dict[str, list[str]]:
    """The modules of each group, in the order in which they are imported."""
    found: dict[str, list[str]] = {"standard library": []}
    found |= {group: [] for group in GROUPS} | {"their dependencies": [], "service": []}
    of = {package: group for group, packages in GROUPS.items() for package in packages}
    of |= {PACKAGE: "service"}
    for module in modules:
        package = module.partition(".")[0]
        usual = "standard library" if package in set(standard) else "their dependencies"
        found[of.get(package, usual)].append(module)
    return {group: names for group, names in found.items() if names}


def _run(project: Project, environment: Mapping[str, str], script: str, argument: str) -> str:
    command = [project.python, "-c", script, argument]
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=project.folder, check=False
    )
    if ran.returncode:
        raise Refused(ran.stderr[-2000:])
    return ran.stdout.splitlines()[-1]


if __name__ == "__main__":
    sys.exit(main())
