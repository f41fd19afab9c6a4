"""The frameworks, the questions and the guidance, read from data into frozen values.

Every command makes these classes: named tuples where that is enough, in a seventh of the time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from scaffold import documents
from scaffold.catalog import measured
from scaffold.catalog.measured import Measurement, Rule, Served, Standing
from scaffold.catalog.record import OWN, RESOURCES, Origin

PACKAGE = Path(__file__).resolve().parent.parent


def source_root() -> Path:
    """The folder of copier.yml and templates/: inside the package, or the checkout around it."""
    packaged = PACKAGE / "source"
    return packaged if packaged.is_dir() else PACKAGE.parent


class Option(NamedTuple):
    """One answer to a question; `must` is the criterion that it makes a condition."""

    id: str
    label: str
    weights: Mapping[str, int]
    must: str | None = None


class Question(NamedTuple):
    """Free text where it has no options. Without a default it has to be answered.

    The default is text, but that of `resources`, which is a list in the long form, and that of a
    question with several answers, which is a list of their ids.
    """

    id: str
    ask: str
    explain: str
    default: Any
    options: tuple[Option, ...] = ()
    multiple: bool = False  # any number of its options together

    @property
    def is_declared(self) -> bool:
        """Whether declarations of resources answer it."""
        return self.id == RESOURCES

    @property
    def flag(self) -> str:
        """The option of the command line; that of resources takes one of them."""
        return "--resource" if self.is_declared else f"--{self.id}"

    def option(self, answer: str) -> Option:
        return next(option for option in self.options if option.id == answer)

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(option.id for option in self.options)


class Evidence(NamedTuple):
    """How strong a framework is on a criterion (-1 to 3), by which source, and why."""

    criterion: str
    strength: int
    source: str
    why: str


class Alternative(NamedTuple):
    """What to take instead of an inactive framework; `framework` if it is one of ours."""

    name: str
    why: str
    framework: str | None = None


class Facts(NamedTuple):
    """Benchmark results, which stand beside the guidance and never count in a score."""

    package: str
    version: str
    released: date
    status: str  # active, slow or stale
    pythons: tuple[str, ...]
    server: str
    note: str | None = None
    caution: str | None = None
    alternative: Alternative | None = None

    @property
    def maintained(self) -> bool:
        return self.status != "stale"


class Limit(NamedTuple):
    """A requirement of the contract that a template cannot meet."""

    line: str
    what: str
    evidence: str


class Framework(NamedTuple):
    id: str
    name: str
    summary: str
    place: int
    facts: Facts
    evidence: Mapping[str, Evidence]
    limits: tuple[Limit, ...]
    budget: Mapping[str, Any]
    reserved: frozenset[str]
    has_template: bool

    def strength(self, criterion: str) -> int:
        found = self.evidence.get(criterion)
        return found.strength if found else 0


class Refusal(NamedTuple):
    """Answers, by question, that cannot be had together, and why."""

    answers: Mapping[str, str]
    why: str

    def meets(self, given: Mapping[str, Any]) -> bool:
        """Whether `given` has all of its answers."""
        return all(
            value in given[key] if isinstance(given.get(key), list) else given.get(key) == value
            for key, value in self.answers.items()
        )

    def __str__(self) -> str:
        together = " and ".join(f"{key} {value}" for key, value in self.answers.items())
        return f"{together} cannot be combined: {self.why}."


@dataclass(frozen=True)
class Catalog:
    root: Path
    origin: Origin
    article: str
    must_strength: int
    most_strength: int
    criteria: Mapping[str, str]
    sources: Mapping[str, str]
    workload: tuple[Question, ...]
    frameworks: tuple[Framework, ...]
    refused: tuple[Refusal, ...]
    measurement: Measurement | None = None
    measuring: Rule | None = None  # what the measurement speaks to

    def framework(self, framework_id: str) -> Framework:
        """Raises KeyError for an unknown one."""
        found = (f for f in self.frameworks if f.id == framework_id)
        if framework := next(found, None):
            return framework
        raise KeyError(framework_id)

    @cached_property
    def fields(self) -> tuple[Question, ...]:
        """The questions of copier.yml that are asked, in its order."""
        return fields_of(self.root)

    @cached_property
    def declarations(self) -> Mapping[str, tuple[str, ...]]:
        """Resources in the short form, by the name that the matrix has for them."""
        table = self.root / "templates" / "matrix.toml"  # as with `refused`
        found = documents.read_toml(table)["resources"] if table.exists() else {}
        return {name: tuple(texts) for name, texts in found.items()}

    def refusal(self, given: Mapping[str, Any]) -> Refusal | None:
        """Why the answers in `given` cannot be had together, if they cannot."""
        return next((refusal for refusal in self.refused if refusal.meets(given)), None)

    def question(self, question_id: str) -> Question:
        return next(q for q in (*self.fields, *self.workload) if q.id == question_id)

    def served(self, framework: Framework) -> Served | None:
        """The benchmark results of a framework's service, if there are any."""
        return self.measurement.frameworks.get(framework.id) if self.measurement else None

    @property
    def measured_by(self) -> Question | None:
        """The question whose answer says on which database a figure counts."""
        asked = self.measuring.question if self.measuring else None
        return next((q for q in self.fields if q.id == asked), None)

    def database(self, answers: Mapping[str, str]) -> str | None:
        """The database on which the figures count for `answers`."""
        question = self.measured_by
        return answers.get(question.id, question.default) if question else None

    def database_name(self, database: str) -> str:
        """What a person calls it."""
        options = self.measured_by.options if self.measured_by else ()
        labels = (option.label for option in options if option.id == database)
        return next(labels, database).partition(",")[0]

    def standings(self, criterion: str, database: str | None) -> Mapping[str, Standing]:
        """By framework, where it stands in the results for `criterion`; empty without any."""
        if not self.measurement or not self.measuring:
            return {}
        ids = [framework.id for framework in self.frameworks]
        return measured.standings(self.measurement, self.measuring, criterion, database, ids)


def load(root: Path | None = None, origin: Origin = OWN) -> Catalog:
    """The catalog of the templates under `root`, by default the package's own.

    `origin` is what a service made from them records.
    """
    root = root or source_root()
    guidance = documents.read_toml(root / "guidance.toml")
    reserved = documents.read_toml(root / "templates" / "taken.toml")["taken"]
    table = root / "templates" / "refused.toml"  # templates of somebody's own may have none
    refused = documents.read_toml(table)["refused"] if table.exists() else ()
    frameworks = [
        _framework(path, reserved) for path in (root / "templates").glob("*/framework.toml")
    ]
    return Catalog(
        root=root,
        origin=origin,
        article=guidance["article"],
        must_strength=guidance["must_strength"],
        most_strength=guidance["most_strength"],
        criteria=guidance["criteria"],
        sources=guidance["sources"],
        workload=tuple(_workload_question(q) for q in guidance["question"]),
        frameworks=tuple(sorted(frameworks, key=lambda framework: framework.place)),
        refused=tuple(Refusal(entry["answers"], entry["why"]) for entry in refused),
        measurement=measured.read(root / measured.FILE),
        measuring=measured.rule_of(guidance),
    )


def fields_of(root: Path) -> tuple[Question, ...]:
    """The questions that the copier.yml in `root` asks, in its order."""
    asked = (
        (key, details)
        for key, details in documents.read_yaml(root / "copier.yml").items()
        if not key.startswith("_") and details.get("when") is not False
    )
    return tuple(_field(key, details) for key, details in asked)


def _workload_question(data: Mapping[str, Any]) -> Question:
    options = tuple(
        Option(o["id"], o["label"], weights=o["weights"], must=o.get("must"))
        for o in data["option"]
    )
    return Question(data["id"], data["ask"], data["explain"], data["default"], options)


def _field(key: str, details: Mapping[str, Any]) -> Question:
    ask, _, explain = details["help"].strip().partition("\n")
    choices = details.get("choices", [])
    labelled = choices.items() if isinstance(choices, dict) else ((c, c) for c in choices)
    options = tuple(Option(value, label, weights={}) for label, value in labelled)
    explain = explain.replace("\n", " ")
    multiple = details.get("multiselect", False)
    return Question(key, ask, explain, details.get("default"), options, multiple)


def _framework(path: Path, reserved: Iterable[str]) -> Framework:
    data = documents.read_toml(path)
    return Framework(
        id=path.parent.name,
        name=data["name"],
        summary=data["summary"],
        place=data["place"],
        facts=_facts(data["facts"]),
        evidence={key: Evidence(key, **value) for key, value in data["evidence"].items()},
        limits=tuple(
            Limit(limit["line"], limit["what"], limit["evidence"])
            for limit in data.get("limits", ())
        ),
        budget=data.get("budget", {}),
        reserved=frozenset((*reserved, *data["names"]["taken"])),
        has_template=(path.parent / "project").is_dir(),
    )


def _facts(data: dict[str, Any]) -> Facts:
    alternative = data.pop("alternative", None)
    pythons = tuple(data.pop("pythons"))
    return Facts(
        **data, pythons=pythons, alternative=Alternative(**alternative) if alternative else None
    )
