"""A measured.json of invented figures, in the shape that benchmarks/serving writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaffold.catalog.catalog import Catalog
from scaffold.catalog.measured import FILE, read

# Microseconds of CPU for one item on SQLite; on PostgreSQL twice as many. What is shown of figures
# is tested with these frameworks alone, so that another one changes none of the texts.
READ_US: Mapping[str, float] = {
    "falcon": 100,
    "flask": 118,
    "pyramid": 150,
    "sanic": 160,
    "flask_restful": 190,
    "fastapi": 260,
    "nameko": 280,
    "tornado": 310,
    "django": 420,
}
# Of a request, how its cost is to that of one item.
COSTS = {"livez": 0.4, "read": 1.0, "list": 3.0, "create": 2.0}


def measured(read_us: Mapping[str, float] = READ_US) -> dict[str, Any]:
    """The file for frameworks that take so long for one item."""
    return {
        "date": "2026-11-22",
        "machine": {"cpu": "Invented CPU", "cores": 2, "memory_gb": 8, "kernel": "Linux 6.1"},
        "python": "3.12.1",
        "tools": {"wrk": "4.1.0", "postgresql": "15.8"},
        "seconds": 3,
        "rounds": 3,
        "connections": 16,
        "frameworks": {framework: served(us) for framework, us in read_us.items()},
    }


def served(read_us: float) -> dict[str, Any]:
    return {
        "versions": {"framework": "1.2.3", "granian": "2.8.1"},
        "memory_mb": 61.25,
        "start_seconds": 0.8125,
        "databases": {
            database: {request: figures(read_us * factor * cost) for request, cost in COSTS.items()}
            for database, factor in (("sqlite", 1), ("postgresql", 2))
        },
    }


def figures(cpu_us: float) -> dict[str, Any]:
    rates = {"cpu_us": cpu_us, "rps": 1e6 / cpu_us, "p50_ms": cpu_us / 60, "p99_ms": cpu_us / 20}
    bare = {key: value * (1.12 if key == "rps" else 0.9) for key, value in rates.items()}
    return {**rates, "kept": 0.89, "bare": bare}


def write(root: Path, content: Any = None) -> None:
    """Beside the guidance in `root`; None is what `measured` gives."""
    text = content if isinstance(content, str) else json.dumps(content or measured())
    (root / FILE).write_text(text, encoding="utf-8")


def known_with(known: Catalog, folder: Path, content: Any = None) -> Catalog:
    """The catalog of this repository, with these figures in the place of its own."""
    write(folder, content)
    frameworks = tuple(one for one in known.frameworks if one.id in READ_US)
    return replace(known, frameworks=frameworks, measurement=read(folder / FILE))
