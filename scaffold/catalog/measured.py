"""Benchmark results of the generated services: measured.json, and how its figures are compared.

The file is written by benchmarks/serving and stands beside guidance.toml, whose table [measured]
says which criteria it speaks to. A source of templates need have neither.

Named tuples here: every command makes these classes, in a seventh of the time of data classes.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from scaffold import documents
from scaffold.errors import SourceError
from scaffold.escaping import escape, quote

FILE = "measured.json"
LARGEST = 1e12  # beyond it no figure of these is one
SOURCE = "measured"  # of the strengths that come from here, as [sources] explains it
# The figures of which less is better, and what each counts.
UNITS = {"cpu_us": "microseconds", "p50_ms": "milliseconds", "p99_ms": "milliseconds"}


class Bare(NamedTuple):
    """One request, asked of a service of the same framework, server and query, and no more."""

    cpu_us: float  # of the server, for each request
    rps: float  # requests a second, of one core
    p50_ms: float
    p99_ms: float


class Figures(NamedTuple):
    """The same of the generated service; `kept` is its share of the baseline's `rps`."""

    cpu_us: float
    rps: float
    p50_ms: float
    p99_ms: float
    kept: float
    bare: Bare


class Served(NamedTuple):
    """One framework's service: its figures by database and request."""

    versions: Mapping[str, str]
    memory_mb: float
    start_seconds: float  # to the first answer 200
    databases: Mapping[str, Mapping[str, Figures]]

    def figures(self, database: str | None, request: str) -> Figures | None:
        return self.databases.get(database or "", {}).get(request)


class Machine(NamedTuple):
    cpu: str
    cores: int
    memory_gb: float
    kernel: str


class Measurement(NamedTuple):
    """One run over all frameworks, so that their figures can be compared."""

    date: date
    machine: Machine
    python: str
    tools: Mapping[str, str]
    seconds: float  # of one round
    rounds: int
    connections: int
    frameworks: Mapping[str, Served]


class Measure(NamedTuple):
    """The figure that speaks to a criterion, of which request; `what` says so in words."""

    criterion: str
    request: str
    figure: str
    what: str

    @property
    def unit(self) -> str:
        return UNITS[self.figure]

    def of(self, figures: Figures) -> float:
        value: float = getattr(figures, self.figure)
        return value


class Band(NamedTuple):
    """What is no more than so many times the best has this strength."""

    times: float
    strength: int


class Rule(NamedTuple):
    """How far the figures count: the table [measured] of guidance.toml.

    `question` is the one of copier.yml whose answer says on which database; `tie` the criterion
    that settles a tie; strengths that are `disagree` apart are called a disagreement.
    """

    question: str
    tie: str
    disagree: int
    bands: tuple[Band, ...]
    measures: Mapping[str, Measure]

    def strength(self, times: float) -> int:
        return next((band.strength for band in self.bands if times <= band.times), 0)


class Standing(NamedTuple):
    """Where one framework stands among the `of` that were measured."""

    value: float
    times: float  # the best one's
    place: int
    of: int
    strength: int


def standings(
    measurement: Measurement, rule: Rule, criterion: str, database: str | None, ids: Iterable[str]
) -> dict[str, Standing]:
    """Where each of `ids` stands by what speaks to `criterion`, without those not measured.

    Empty where one alone has figures: there is nothing to compare them with.
    """
    measure = rule.measures[criterion]
    served = {id_: measurement.frameworks[id_] for id_ in ids if id_ in measurement.frameworks}
    values = {
        id_: measure.of(figures)
        for id_, one in served.items()
        if (figures := one.figures(database, measure.request))
    }
    if len(values) < 2:
        return {}
    best = min(values.values())
    times = {id_: round(value / best, 2) for id_, value in values.items()}  # as they are shown
    return {
        id_: Standing(
            value=value,
            times=times[id_],
            place=1 + sum(other < value for other in values.values()),
            of=len(values),
            strength=rule.strength(times[id_]),
        )
        for id_, value in values.items()
    }


def rule_of(guidance: Mapping[str, Any]) -> Rule | None:
    """The table [measured], if `guidance` has one. Raises ValueError for what it cannot say."""
    table = guidance.get("measured")
    if table is None:
        return None
    measures = {key: Measure(key, **value) for key, value in table["criteria"].items()}
    if unknown := {table["tie"], *measures} - (guidance["criteria"].keys() & measures.keys()):
        raise ValueError(f"[measured] of guidance.toml has no such criterion: {unknown}")
    if unknown := {measure.figure for measure in measures.values()} - UNITS.keys():
        raise ValueError(f"[measured] of guidance.toml compares by {[*UNITS]}, and not {unknown}")
    if SOURCE not in guidance["sources"]:
        raise ValueError(f"[sources] of guidance.toml has no line for {SOURCE}")
    bands = sorted((Band(**band) for band in table["bands"]), key=lambda band: band.times)
    return Rule(
        question=table["question"],
        tie=table["tie"],
        disagree=table["disagree"],
        bands=tuple(bands),
        measures=measures,
    )


# ---- the file


def read(path: Path) -> Measurement | None:
    """What stands in measured.json, if there is one.

    Raises SourceError, naming the key that breaks a rule. Keys of a later format are passed over.
    """
    if not path.is_file():
        return None
    try:
        whole = _Part(path.name, documents.read_json(path))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path.name} cannot be read: {escape(str(error))}.") from error
    machine = whole.part("machine")
    return Measurement(
        date=whole.day("date"),
        machine=Machine(
            cpu=machine.text("cpu"),
            cores=machine.whole("cores"),
            memory_gb=machine.number("memory_gb"),
            kernel=machine.text("kernel"),
        ),
        python=whole.text("python"),
        tools=whole.part("tools").texts(),
        seconds=whole.number("seconds"),
        rounds=whole.whole("rounds"),
        connections=whole.whole("connections"),
        frameworks={key: _served(part) for key, part in whole.part("frameworks").parts()},
    )


def _served(part: "_Part") -> Served:
    return Served(
        versions=part.part("versions").texts(),
        memory_mb=part.number("memory_mb"),
        start_seconds=part.number("start_seconds"),
        databases={
            database: {request: _figures(figures) for request, figures in requests.parts()}
            for database, requests in part.part("databases").parts()
        },
    )


def _figures(part: "_Part") -> Figures:
    return Figures(
        **_numbers(part), kept=part.number("kept"), bare=Bare(**_numbers(part.part("bare")))
    )


def _numbers(part: "_Part") -> dict[str, float]:
    return {name: part.number(name) for name in Bare._fields}


class _Part(NamedTuple):
    """A value in the file, and the way to it, by which it is named where it breaks a rule."""

    way: str
    value: Any

    def part(self, key: str) -> "_Part":
        if not isinstance(self.value, dict):
            raise self._refused("an object")
        way = f"{self.way}{'.' if ': ' in self.way else ': '}{key}"
        if key not in self.value:
            raise SourceError(f"{escape(way)} is missing.")
        return _Part(way, self.value[key])

    def parts(self) -> Iterator[tuple[str, "_Part"]]:
        """Each value of an object, by its key."""
        if not isinstance(self.value, dict):
            raise self._refused("an object")
        for key in self.value:
            yield key, self.part(key)

    def texts(self) -> dict[str, str]:
        return {key: part._text() for key, part in self.parts()}

    def text(self, key: str) -> str:
        return self.part(key)._text()

    def number(self, key: str) -> float:
        value: Any = self.value.get(key) if isinstance(self.value, dict) else None
        # by its type: a boolean is an integer too; and Python's JSON has NaN and Infinity
        if type(value) in (int, float) and 0 < value < LARGEST:
            found: float = value
            return found
        part = self.part(key)
        is_number = isinstance(part.value, int | float) and not isinstance(part.value, bool)
        raise part._refused("a number above 0" if is_number else "a number")

    def whole(self, key: str) -> int:
        part = self.part(key)
        number = self.number(key)
        if not isinstance(number, int):
            raise part._refused("a whole number")
        return number

    def day(self, key: str) -> date:
        part = self.part(key)
        try:
            return date.fromisoformat(part._text())
        except ValueError:
            raise part._refused("a date like 2026-11-22") from None

    def _text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            raise self._refused("text")
        return self.value

    def _refused(self, rule: str) -> SourceError:
        return SourceError(f"{escape(self.way)} has to be {rule}, and is {_seen(self.value)}.")


def _seen(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return quote(str(value)) if isinstance(value, str) else escape(str(value)[:40])
