"""Measures a service with each answer of `with` beside the same service without it.

    python -m benchmarks.serving.besides [--framework flask,falcon] [--answer auth,tracing]
                                         [--rounds 5] [--seconds 3] [--json FILE]

Both are on SQLite with 1,000 items and take turns on the core of the service, as a service and its
baseline do in `benchmarks.serving`. With `auth` both are sent the same token, which the service has
seen before. `tracing` is measured twice: without a collector, and with one that takes each span.
With `calls` nothing is called: it is what a request costs that needs no other service. `resources`
is a service with items and three larger resources, which is asked for items alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving.__main__ import listed, positive
from benchmarks.serving.bench import ITEMS, WARM_UP_SECONDS, Bench, bench, measure, saying, tell
from benchmarks.serving.figures import Round, compared, significant
from benchmarks.serving.items import some_ids
from benchmarks.serving.load import Refused, check
from scaffold.resources import short_form
from tests.contract.collectors import serving_collector
from tests.contract.declarations import EXAMPLE, RICH, SHORT_FORMS, as_data
from tests.contract.issuers import serving_issuer
from tests.services import Project, Projects, frameworks, surroundings_of

ANSWERS = ("auth", "tracing", "exported", "calls", "resources")
REQUESTS = ("read", "list", "create")
NAMES = {"tracing": "tracing, no collector", "exported": "tracing, exported"}


@dataclass(frozen=True)
class Column:
    """The answers of a service, its environment for them, and the headers of each request."""

    label: str
    answers: Mapping[str, object]
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def column_of(name: str) -> Iterator[Column]:
    """What a column of the table stands for, and what its services need while they run."""
    with ExitStack() as stack:
        if name == "auth":
            issuer = stack.enter_context(serving_issuer())
            token = issuer.bearer("items:read", "items:write", exp=2**31)
            yield Column(name, {"with": ["auth"]}, issuer.environment, token)
        elif name == "exported":
            collector = stack.enter_context(serving_collector())
            exporter = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            yield Column("tracing", {"with": ["tracing"]}, exporter)
        elif name == "calls":
            yield Column(name, {"with": ["calls"]}, {"PEER_URL": "http://127.0.0.1:1"})
        elif name == "resources":
            declared = short_form.parse_all(SHORT_FORMS[EXAMPLE] + SHORT_FORMS[RICH])
            yield Column(name, {"resources": as_data(declared)})
        else:
            yield Column(name, {"with": [name]})


def main(words: Sequence[str] | None = None) -> int:
    given = arguments(words)
    chosen, columns = given.framework or frameworks(), given.answer or list(ANSWERS)
    found: dict[str, dict[str, Any]] = {}
    failures = []
    try:
        with bench(chosen, with_postgresql=False) as stand:
            for framework in chosen:
                for name in columns:
                    try:
                        measured = beside_without(stand, framework, name, given)
                    except Refused as refusal:
                        failures.append(f"refused: {refusal}")
                        tell(failures[-1])
                        continue
                    found.setdefault(framework, {})[name] = measured
                    if given.json:
                        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except (Refused, pytest.fail.Exception, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    print("\n".join(told(found, columns)))
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.besides", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--framework", type=listed(frameworks()), help="a,b; all where not given")
    parser.add_argument("--answer", type=listed(ANSWERS), help="a,b; all where not given")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--seconds", type=positive, default=3, help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser.parse_args(words)


def beside_without(
    stand: Bench, framework: str, name: str, given: argparse.Namespace
) -> dict[str, Any]:
    """The figures of a service with an answer, and of the same without it, by request."""
    without = stand.project(framework)
    with column_of(name) as column:
        own = project_with(stand, framework, column)
        database = stand.databases.make("sqlite", own, ITEMS)
        with (
            stand.generated(own, database) as service,
            stand.generated(without, stand.databases.copy("sqlite")) as other,
        ):
            rounds = in_turns(stand, (service, other), column, f"{framework}, {name}", given)
            memory = service.memory_mb(), other.memory_mb()
    figures: dict[str, Any] = {request: compared(found) for request, found in rounds.items()}
    return figures | {"memory_mb": [significant(one) for one in memory]}


def project_with(stand: Bench, framework: str, column: Column) -> Project:
    """The service with the answer, rendered and installed once, with what it needs to know."""
    made = Projects(stand.folder / "projects").made(
        framework, f"{framework}-{column.label}", **column.answers
    )
    around = surroundings_of(framework, stand._broker_url)
    return Project(framework, made.folder, {**around, **column.environment})


def in_turns(
    stand: Bench, servers: tuple[Any, Any], column: Column, what: str, given: argparse.Namespace
) -> dict[str, list[Round]]:
    """The rounds of each request; who goes first takes turns, too."""
    wrk = stand.wrk(headers=column.headers)
    found: dict[str, list[Round]] = {request: [] for request in REQUESTS}
    with saying(what):
        for request in REQUESTS:
            for server in servers:
                check(server.url, request, some_ids(ITEMS)[0], column.headers)
                wrk.run(server.url, request, WARM_UP_SECONDS)
                server.settle()
        for number in range(given.rounds):
            for request in REQUESTS:
                samples = {}
                for server in servers if number % 2 == 0 else servers[::-1]:
                    samples[server] = measure(server, wrk, request, given.seconds)
                found[request].append((samples[servers[0]], samples[servers[1]]))
                with_it, without = found[request][-1]
                tell(f"{what}, {request}: {with_it.rps / without.rps:.0%} kept")
    return found


def told(found: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """A table for each request: CPU microseconds with and without, and the throughput kept."""
    lines = []
    for request in REQUESTS:
        titles = [NAMES.get(name, name) for name in columns]
        lines += [f"### {request}", "", f"| framework | {' | '.join(titles)} |"]
        lines.append("| --- |" + " --- |" * len(columns))
        for framework, answers in found.items():
            cells = [cell(answers[name][request]) if name in answers else "" for name in columns]
            lines.append(f"| {framework} | {' | '.join(cells)} |")
        lines.append("")
    return lines


def cell(figures: Mapping[str, Any]) -> str:
    bare = figures["bare"]
    return f"{figures['kept']:.0%}, {figures['cpu_us']:g} µs of {bare['cpu_us']:g} µs"


if __name__ == "__main__":
    sys.exit(main())
