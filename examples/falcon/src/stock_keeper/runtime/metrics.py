"""Metrics of this process, or of all processes that serve together.

Several workers write their metrics to files in a shared folder, and the one that is scraped adds
them up.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from .workers import METRICS_FOLDER

_SAMPLE_SECONDS: Final = 1.0
_samples: list[Callable[[], None]] = []


def _is_shared() -> bool:
    return METRICS_FOLDER in os.environ


def watch_gauge(name: str, about: str, read: Callable[[], float]) -> None:
    """A gauge that is computed when scraped; other workers are at most a second behind."""
    gauge = Gauge(name, about, multiprocess_mode="livesum")
    gauge.set_function(read)
    if _is_shared():
        _samples.append(lambda: gauge.set(read()))


def watch_counter(name: str, about: str, read: Callable[[], int]) -> None:
    """A counter that is computed when scraped; other workers are at most a second behind."""
    if not _is_shared():
        REGISTRY.register(_Read(name, about, read))
        return
    counter, counted = Counter(name, about), 0

    def sample() -> None:
        nonlocal counted
        found = read()
        counter.inc(max(0, found - counted))
        counted = found

    _samples.append(sample)


def start() -> None:
    """Start sharing the metrics that are computed when scraped; called in each serving process."""
    if _is_shared():
        threading.Thread(target=_sample_forever, name="metrics", daemon=True).start()


def text() -> bytes:
    """All metrics in the text format of Prometheus."""
    if not _is_shared():
        return generate_latest(REGISTRY)
    _sample()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class _Read(Collector):
    def __init__(self, name: str, about: str, read: Callable[[], int]) -> None:
        self._name, self._about, self._read = name, about, read

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._about, self._read())


def _sample() -> None:
    for sample in _samples:
        sample()


def _sample_forever() -> None:
    while True:
        _sample()
        time.sleep(_SAMPLE_SECONDS)
