"""Tells what the services cost: the tables of docs/speed.md, and docs/pictures/speed.svg.

    python -m docs.speed

draws the picture from measured.json, which `python -m benchmarks.serving --write` makes. The tables
come into the page by `python -m docs.tables`.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from scaffold.catalog import catalog

HERE = Path(__file__).resolve().parent
MEASURED = HERE.parent / "measured.json"
GROWN = HERE / "data" / "growth.json"
PROFILED = HERE / "data" / "profile.json"
PICTURE = HERE / "pictures" / "speed.svg"
Measured = Mapping[str, Any]
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
REQUESTS = {
    "read": "`GET /v1/items/{id}`",
    "list": "`GET /v1/items?limit=50`",
    "create": "`POST /v1/items`",
    "livez": "`GET /livez`",
}
PROFILE_REQUESTS = ("read", "create")
KEPT_AT_LEAST = {"read": 0.85, "create": 0.80}
FALCON_TIMES_FASTAPI = 2.0
FLAT = 1.25  # times the CPU of the first page of the shortest list
NOT_YET = "Not measured yet."


@dataclass(frozen=True)
class Goal:
    """Something that the services should keep to, and how it turned out."""

    wanted: str
    found: str
    met: bool

    def __str__(self) -> str:
        return f"{'met' if self.met else '**missed**'}: {self.wanted}: {self.found}"


def measured() -> Measured | None:
    """What stands in measured.json, if it is there."""
    if not MEASURED.exists():
        return None
    found: Measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def serving_part() -> Iterator[str]:
    """The part of the page that is generated."""
    found = measured()
    if found is None:
        yield NOT_YET
        return
    yield (
        f"Made on {found['date']} by `python -m benchmarks.serving --write`, on "
        f"{machine_of(found)}: the median of {found['rounds']} rounds of {found['seconds']} s for "
        "each figure."
    )
    yield ""
    yield f"![{escape(in_words(found))}](pictures/speed.svg)"
    yield ""
    yield from serving_tables(found)


def machine_of(found: Measured) -> str:
    """One line on machine and versions."""
    on, tools = found["machine"], found["tools"]
    said = ", ".join(f"{DATABASES.get(name, name)} {version}" for name, version in tools.items())
    return (
        f"{on['cpu']}, {on['cores']} cores, {on['memory_gb']} GB, Linux {on['kernel']}, "
        f"Python {found['python']}, {said}"
    )


def load_of(found: Measured) -> str:
    """Whether the machine had other things to do."""
    said = f"The load of the machine was {found['load']:g} at the beginning"
    return f"{said}: it had other things to do as well." if found["load"] > 1 else f"{said}."


def serving_tables(found: Measured) -> Iterator[str]:
    """Goals first, then a line for each service, then a table for each request and database."""
    for goal in goals(found):
        yield f"- {goal}"
    yield ""
    yield from _services(found)
    for request, title in REQUESTS.items():
        for database, name in DATABASES.items():
            rows = list(_rows(found, database, request))
            if rows:
                yield ""
                yield f"### {title} on {name}"
                yield ""
                yield (
                    "| framework | requests/s | baseline | % | CPU µs | baseline | p50 ms "
                    "| baseline | p99 ms | baseline |"
                )
                yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
                yield from rows


def _services(found: Measured) -> Iterator[str]:
    yield "| framework | versions | memory MB | first 200 after |"
    yield "| --- | --- | --- | --- |"
    for framework, name in _names(found):
        of = found["frameworks"][framework]
        versions = ", ".join(f"{package} {version}" for package, version in of["versions"].items())
        yield f"| {name} | {versions} | {of['memory_mb']:g} | {of['start_seconds']:g} s |"


def _rows(found: Measured, database: str, request: str) -> Iterator[str]:
    """The fastest first."""
    have = [(f, name) for f, name in _names(found) if _figures(found, f, database, request)]
    have.sort(key=lambda one: -_figures(found, one[0], database, request)["rps"])
    for framework, name in have:
        of = _figures(found, framework, database, request)
        pairs = [(of[key], of["bare"][key]) for key in ("rps", "cpu_us", "p50_ms", "p99_ms")]
        (rps, bare_rps), *others = pairs
        cells = [name, f"{rps:,.0f}", f"{bare_rps:,.0f}", f"{of['kept']:.0%}"]
        cells += [f"{value:g}" for pair in others for value in pair]
        yield f"| {' | '.join(cells)} |"


def _names(found: Measured) -> list[tuple[str, str]]:
    return _known(found["frameworks"])


def _known(frameworks: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Ids and names of the frameworks that were measured, in the article's order."""
    known = catalog.load(HERE.parent).frameworks
    return [(one.id, one.name) for one in known if one.id in frameworks]


def _figures(found: Measured, framework: str, database: str, request: str) -> Any:
    databases = found["frameworks"].get(framework, {}).get("databases", {})
    return databases.get(database, {}).get(request)


def goals(found: Measured) -> Iterator[Goal]:
    """What is asked of the services, as far as it was measured."""
    for request, least in KEPT_AT_LEAST.items():
        kept = {
            f"{name} on {title}": of["kept"]
            for framework, name in _names(found)
            for database, title in DATABASES.items()
            if (of := _figures(found, framework, database, request))
        }
        if kept:
            yield _kept_goal(request, least, kept)
    for database, title in DATABASES.items():
        falcon, fastapi = (_figures(found, f, database, "read") for f in ("falcon", "fastapi"))
        if falcon and fastapi:
            times = falcon["rps"] / fastapi["rps"]
            yield Goal(
                f"Falcon answers {REQUESTS['read']} at least {FALCON_TIMES_FASTAPI:g} times as "
                f"often as FastAPI on {title}",
                f"{times:.2f} times",
                times >= FALCON_TIMES_FASTAPI,
            )


def _kept_goal(request: str, least: float, kept: Mapping[str, float]) -> Goal:
    below = {name: value for name, value in kept.items() if value < least}
    lowest = min(kept, key=lambda name: kept[name])
    said = ", ".join(f"{name} {value:.1%}" for name, value in below.items())
    return Goal(
        f"{REQUESTS[request]} keeps at least {least:.0%} of the baseline's throughput",
        said or f"{len(kept)} of {len(kept)}, the least is {lowest} with {kept[lowest]:.0%}",
        not below,
    )


def profile_part() -> Iterator[str]:
    """The part of the page on where the time goes that is generated."""
    if not PROFILED.exists():
        yield NOT_YET
        return
    found = json.loads(PROFILED.read_text(encoding="utf-8"))
    yield (
        f"Made on {found['date']} by `python -m benchmarks.serving.profile --write`, on "
        f"{machine_of(found)}: {found['rate']} looks a second for {found['seconds']} s each, at "
        f"{found['connections']} connections."
    )
    yield ""
    yield from profile_tables(found)


def profile_tables(found: Measured) -> Iterator[str]:
    """A table for each request and database: CPU of a request in microseconds, by part."""
    for request in PROFILE_REQUESTS:
        for database, title in DATABASES.items():
            shown = [
                (f"{name}{suffix}", of[database][request][side])
                for framework, name in _known(found["frameworks"])
                if database in (of := found["frameworks"][framework])
                for side, suffix in {"generated": "", "bare": ", baseline"}.items()
            ]
            parts = list(dict.fromkeys(part for _, of in shown for part in of))
            parts.sort(key=lambda part: -max(of.get(part, 0) for _, of in shown))
            if shown:
                yield f"### CPU µs of {REQUESTS[request]} on {title}"
                yield ""
                yield f"| service | all | {' | '.join(parts)} |"
                yield f"| --- | {' | '.join('---' for _ in ['all', *parts])} |"
                for name, of in shown:
                    cells = [f"{of[part]:.0f}" if part in of else "" for part in parts]
                    yield f"| {name} | {sum(of.values()):.0f} | {' | '.join(cells)} |"
                yield ""


def growth_part() -> Iterator[str]:
    """The part of the page on growing that is generated."""
    if not GROWN.exists():
        yield NOT_YET
        return
    found = json.loads(GROWN.read_text(encoding="utf-8"))
    yield (
        f"Made on {found['date']} by `python -m benchmarks.growth --write`, on "
        f"{machine_of(found)}: the median of {found['rounds']} rounds of {found['seconds']} s for "
        "each figure."
    )
    yield ""
    yield from growth_tables(found)


def growth_tables(found: Measured) -> Iterator[str]:
    """A table for each way to grow that was measured."""
    for part, tell in GROWTH.items():
        if found.get(part):
            yield from tell(found)
            yield ""


def _items(found: Measured) -> Iterator[str]:
    yield "### Items"
    yield ""
    yield "| framework | database | items | first page: CPU µs | p50 ms | last: CPU µs | p50 ms |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for framework, name in _known(found["items"]):
        for database, title in DATABASES.items():
            sizes = found["items"][framework][database]["sizes"]
            for size, pages in sizes.items():
                pairs = [(pages[p]["cpu_us"], pages[p]["p50_ms"]) for p in ("first", "deep")]
                figures = " | ".join(f"{cpu:g} | {p50:g}" for cpu, p50 in pairs)
                yield f"| {name} | {title} | {int(size):,} | {figures} |"
    yield ""
    for framework, name in _known(found["items"]):
        for database, title in DATABASES.items():
            yield f"- {_flat(name, title, found['items'][framework][database]['sizes'])}"
    for framework, name in _known(found["items"]):
        of = found["items"][framework]
        yield ""
        yield f"How {name} asks for a page, and how the databases find the last of the longest:"
        yield ""
        yield "```text"
        yield from textwrap.wrap(of["query"], 100, subsequent_indent="  ")
        for database, title in DATABASES.items():
            yield ""
            yield f"{title}:"
            yield from (f"  {line}" for line in of[database]["plan"])
        yield "```"


def _flat(name: str, title: str, sizes: Mapping[str, Any]) -> Goal:
    *_, longest = sizes
    least, most = sizes[next(iter(sizes))]["first"]["cpu_us"], sizes[longest]["deep"]["cpu_us"]
    return Goal(
        f"the last page of {int(longest):,} items takes {name} on {title} at most {FLAT:g} times "
        "the CPU of the first page of the shortest list",
        f"{most / least:.2f} times",
        most <= FLAT * least,
    )


def _crowds(found: Measured) -> Iterator[str]:
    yield f"### Connections: {REQUESTS['read']} on PostgreSQL"
    yield ""
    if any("refused" in of for counts in found["crowds"].values() for of in counts.values()):
        yield (
            "A process lets 220 requests wait for its ten database connections and answers 503 to "
            "any others at once. A run with such an answer has no figures."
        )
        yield ""
    yield from _by_count(found["crowds"], "connections")


def _replicas(found: Measured) -> Iterator[str]:
    yield f"### Replicas: {REQUESTS['read']} on PostgreSQL"
    yield ""
    yield (
        f"Processes of one worker each, behind nothing: {found['connections']} connections shared "
        f"out over their ports. They share {found['machine']['cores']} cores with PostgreSQL and "
        "with wrk, so the machine is the limit here; the CPU is the services' alone."
    )
    yield ""
    yield from _by_count(found["replicas"], "replicas")


def _workers(found: Measured) -> Iterator[str]:
    yield f"### Workers: {REQUESTS['read']} on PostgreSQL"
    yield ""
    yield (
        f"One service and {found['connections']} connections, on the same "
        f"{found['machine']['cores']} cores as PostgreSQL and wrk. Memory is the proportional set "
        "size of all processes of the service after the load."
    )
    yield ""
    yield from _by_count(found["workers"], "workers", {"memory_mb": "memory MB"})


def _by_count(
    found: Mapping[str, Any], counted: str, more: Mapping[str, str] | None = None
) -> Iterator[str]:
    columns = {"cpu_us": "CPU µs", "p50_ms": "p50 ms", "p99_ms": "p99 ms", **(more or {})}
    yield f"| framework | {counted} | requests/s | {' | '.join(columns.values())} |"
    yield f"| --- | --- | --- {'| --- ' * len(columns)}|"
    for framework, name in _known(found):
        for count, of in found[framework].items():
            if "refused" in of:
                yield f"| {name} | {int(count):,} | {of['refused']} |{' |' * len(columns)}"
                continue
            figures = " | ".join(f"{of[key]:g}" for key in columns)
            yield f"| {name} | {int(count):,} | {of['rps']:,.0f} | {figures} |"


def _stream(found: Measured) -> Iterator[str]:
    yield "### Readers of the stream"
    yield ""
    yield (
        "Every reader is a WebSocket of its own on `/v1/items/stream`. Memory is what the service "
        "has grown by (PSS), for each; what the kernel keeps for a socket is not in it. Then ten "
        "items are created, and the times are from sending such a POST to each reader's having its "
        "message, the reading of one thread for all of them included. The service has no bound on "
        "readers of its own; it is the system's on open files (`ulimit -n`)."
    )
    yield ""
    yield (
        "| framework | database | readers | kB for each | a change reaches half after ms "
        "| 99 % | all |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for framework, name in _known(found["stream"]):
        for database, audiences in found["stream"][framework].items():
            for audience, of in audiences.items():
                keys = ("memory_kb", "p50_ms", "p99_ms", "max_ms")
                figures = " | ".join(f"{of[key]:g}" for key in keys)
                yield f"| {name} | {DATABASES[database]} | {int(audience):,} | {figures} |"


GROWTH: dict[str, Callable[[Measured], Iterator[str]]] = {
    "items": _items,
    "crowds": _crowds,
    "replicas": _replicas,
    "workers": _workers,
    "stream": _stream,
}


# The picture

PANELS = [(request, database) for request in ("read", "create") for database in DATABASES]
WIDTH, PANEL, LABEL, BAR, ROW, TOP, HEAD, MARGIN = 940, 446, 118, 13, 36, 66, 34, 24
LIGHT = {
    "page": "#fbfbfa", "edge": "#d5d5d0", "text": "#24292f", "faint": "#6a737d",
    "own": "#1a7f4b", "bare": "#b9bfc6",
}  # fmt: skip
DARK = {
    "page": "#16181d", "edge": "#44474f", "text": "#d7dae0", "faint": "#8b919c",
    "own": "#3fa56d", "bare": "#565c66",
}  # fmt: skip


def picture(found: Measured) -> str:
    """Bars for reading and creating on both databases, as SVG, in light and dark."""
    rows = len(found["frameworks"])
    panel_height = HEAD + rows * ROW + 22
    height = TOP + 2 * panel_height
    title = "Requests per second"
    body: list[str] = []
    for number, (request, database) in enumerate(PANELS):
        x, y = MARGIN + (number % 2) * PANEL, TOP + (number // 2) * panel_height
        body += _panel(found, request, database, x, y)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title text">',
            f'<title id="title">{title}</title>',
            f'<desc id="text">{escape(in_words(found))}</desc>',
            "<style>",
            *_style(),
            "</style>",
            f'<rect class="page" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
            f'<text class="head" x="{MARGIN}" y="34">{title}</text>',
            *_legend(found),
            *body,
            "</svg>\n",
        ]
    )


def in_words(found: Measured) -> str:
    """What the picture says, for who cannot see it."""
    said = []
    for request, database in PANELS:
        have = {
            name: of
            for framework, name in _names(found)
            if (of := _figures(found, framework, database, request))
        }
        if have:
            first, last = (pick(have, key=lambda n: have[n]["rps"]) for pick in (max, min))
            title = REQUESTS[request].strip("`")
            said.append(
                f"{title} on {DATABASES[database]}: from {last} with {have[last]['rps']:,.0f} to "
                f"{first} with {have[first]['rps']:,.0f} requests per second, "
                f"{min(of['kept'] for of in have.values()):.0%} to "
                f"{max(of['kept'] for of in have.values()):.0%} of the baseline."
            )
    return " ".join(said)


def _legend(found: Measured) -> Iterator[str]:
    x = WIDTH - 540.0
    for kind, words in {"own": "generated", "bare": "baseline"}.items():
        yield f'<rect class="{kind}" x="{x:g}" y="24" width="14" height="12" rx="2"/>'
        yield f'<text class="small" x="{x + 20:g}" y="34">{words}</text>'
        x += 44 + 6.8 * len(words)
    words = f"% of baseline; one core, {found['connections']} connections, {found['date']}"
    yield f'<text class="faint" x="{x + 6:g}" y="34">{words}</text>'


def _panel(found: Measured, request: str, database: str, x: float, y: float) -> Iterator[str]:
    have = [
        (name.removesuffix(" with DRF"), of)
        for framework, name in _names(found)
        if (of := _figures(found, framework, database, request))
    ]
    have.sort(key=lambda one: -one[1]["rps"])
    most = max((max(of["rps"], of["bare"]["rps"]) for _, of in have), default=1)
    room = PANEL - LABEL - 132
    title = REQUESTS[request].strip("`")
    yield (
        f'<text class="panel" x="{x:g}" y="{y + 16:g}">{escape(title)} '
        f'<tspan class="faint">on {DATABASES[database]}</tspan></text>'
    )
    for number, (name, of) in enumerate(have):
        top = y + HEAD + number * ROW
        own, bare = (room * one["rps"] / most for one in (of, of["bare"]))
        left = x + LABEL
        said = f"{name}: {of['rps']:,.0f} per second, baseline {of['bare']['rps']:,.0f}"
        yield f"<g><title>{escape(said)}</title>"
        yield f'<text class="name" x="{left - 10:g}" y="{top + 17:g}">{escape(name)}</text>'
        yield _bar("own", left, top, own, BAR)
        yield _bar("bare", left, top + BAR + 1, bare, BAR - 4)
        yield (
            f'<text class="small" x="{left + max(own, bare) + 8:.1f}" y="{top + 16:g}">'
            f'{of["rps"]:,.0f}<tspan class="faint"> /s, {of["kept"]:.0%}</tspan></text></g>'
        )


def _bar(kind: str, x: float, y: float, width: float, height: float) -> str:
    place = f'x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}"'
    return f'<rect class="{kind}" {place} rx="2"/>'


def _style() -> Iterator[str]:
    yield "text { font: 14px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--text) }"
    yield "text.small { font-size: 13px } .faint { fill: var(--faint); font-size: 12px }"
    yield "text.name { text-anchor: end } text.head { font-weight: 600; font-size: 16px }"
    yield "text.panel { font-weight: 600 } tspan { font-weight: 400 }"
    yield ".page { fill: var(--page); stroke: var(--edge) }"
    yield ".own { fill: var(--own) } .bare { fill: var(--bare) }"
    yield f":root {{ {_variables(LIGHT)} }}"
    yield f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}"


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def main() -> None:
    found = measured()
    if found is None:
        raise SystemExit("there is no measured.json: python -m benchmarks.serving --write")
    PICTURE.write_text(picture(found), encoding="utf-8")
    print(in_words(found))


if __name__ == "__main__":
    main()
