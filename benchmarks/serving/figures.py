"""From what single measurements say to the figures that are told: medians, and what is kept.

Nothing here measures: samples come in, and a record goes out, as measured.json holds it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

DATABASES = ("sqlite", "postgresql")
REQUESTS = ("livez", "read", "list", "create")


@dataclass(frozen=True)
class Sample:
    """One run of the load on one service.

    `cpu_us` is CPU microseconds a request, `rps` requests a second; latencies are milliseconds.
    """

    cpu_us: float
    rps: float
    p50_ms: float
    p99_ms: float


Round = tuple[Sample, Sample]  # the generated service's and the baseline's, one after the other


@dataclass(frozen=True)
class ServiceSamples:
    """Of a framework on a database: the rounds of each request, memory, and how long it starts."""

    rounds: Mapping[str, Sequence[Round]]
    memory_mb: float
    start_seconds: float


def significant(value: float, digits: int = 3) -> float:
    """Rounded to so many significant digits."""
    if value == 0 or not math.isfinite(value):
        return value
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return rounded if places > 0 else float(int(rounded))


def medians(samples: Sequence[Sample]) -> dict[str, float]:
    """The median of each figure, on its own."""
    names = ("cpu_us", "rps", "p50_ms", "p99_ms")
    return {name: significant(median(getattr(one, name) for one in samples)) for name in names}


def kept(rounds: Sequence[Round]) -> float:
    """Which part of the bare throughput the generated service keeps: the median of the rounds."""
    return significant(median(generated.rps / bare.rps for generated, bare in rounds))


def compared(rounds: Sequence[Round]) -> dict[str, Any]:
    """The figures of one request."""
    generated, bare = zip(*rounds, strict=True)
    return {**medians(generated), "kept": kept(rounds), "bare": medians(bare)}


def of_framework(
    samples: Mapping[str, ServiceSamples], versions: Mapping[str, str]
) -> dict[str, Any]:
    """The figures of one framework, by database. Memory and start are of the first database."""
    first = next(iter(samples.values()))
    return {
        "versions": dict(versions),
        "memory_mb": significant(first.memory_mb),
        "start_seconds": significant(first.start_seconds),
        "databases": {
            database: {request: compared(rounds) for request, rounds in of.rounds.items()}
            for database, of in samples.items()
        },
    }


def is_whole(measured: Mapping[str, Any], frameworks: Iterable[str]) -> bool:
    """Whether nothing is missing: every framework, database and request."""
    found = measured["frameworks"]
    return set(found) == set(frameworks) and all(
        set(found[framework]["databases"].get(database, ())) == set(REQUESTS)
        for framework in found
        for database in DATABASES
    )
