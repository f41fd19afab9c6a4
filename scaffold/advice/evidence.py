"""The two kinds of evidence, the article's rating and benchmark results, side by side. Pure.

They are never blended: a ranking is by one of them, and says by which.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from scaffold.advice.ranking import Advice, advise
from scaffold.catalog.catalog import Catalog, Evidence, Framework
from scaffold.catalog.measured import FILE, SOURCE, Measure, Standing
from scaffold.errors import NotMeasured


class RankBy(StrEnum):
    """What a ranking goes by."""

    ARTICLE = "article"
    BENCHMARKS = "benchmarks"


class Comparison(NamedTuple):
    """What both say of a framework on one criterion; None where one of them says nothing.

    `asked` is whether the answers give the criterion a weight.
    """

    framework: Framework
    measure: Measure
    said: Evidence | None
    standing: Standing | None
    disagrees: bool
    asked: bool

    @property
    def criterion(self) -> str:
        return self.measure.criterion


class Recommendation(NamedTuple):
    """The advice by the article, and by the measurement where that has figures of each.

    `comparisons` has each measured criterion, those first that are asked for, in the order of the
    ranking that goes by `rank_by`. They are of the run at `date`, on `database`, called `where`.
    """

    rank_by: RankBy
    article: Advice
    measured: Advice | None
    comparisons: tuple[Comparison, ...]
    date: date | None
    database: str | None
    where: str

    @property
    def asked(self) -> tuple[Comparison, ...]:
        return tuple(one for one in self.comparisons if one.asked)

    @property
    def advice(self) -> Advice:
        """The one that was asked for."""
        return (
            self.measured if self.measured and self.rank_by is RankBy.BENCHMARKS else self.article
        )

    @property
    def other(self) -> Advice | None:
        """What the other kind of evidence comes to."""
        return self.article if self.rank_by is RankBy.BENCHMARKS else self.measured


def order(advice: Advice) -> list[str]:
    return [ranked.framework.id for ranked in advice.ranking]


def recommend(
    catalog: Catalog,
    answers: Mapping[str, str],
    maintained: bool = False,
    rank_by: RankBy = RankBy.ARTICLE,
) -> Recommendation:
    """The advice for `answers` by both kinds of evidence.

    Raises NotMeasured where it is to go by the measurement and that lacks something, and
    NothingMaintained as `advise` does.
    """
    database = catalog.database(answers)
    article = advise(catalog, answers, maintained)
    lack = _lack(catalog, article, database)
    if lack and rank_by is RankBy.BENCHMARKS:
        raise NotMeasured(lack)
    measured = None if lack else advise(by_measurement(catalog, database), answers, maintained)
    asked = measured if measured and rank_by is RankBy.BENCHMARKS else article
    return Recommendation(
        rank_by=rank_by,
        article=article,
        measured=measured,
        comparisons=tuple(_comparisons(catalog, asked, database)),
        date=catalog.measurement.date if catalog.measurement else None,
        database=database,
        where=catalog.database_name(database or ""),
    )


def by_measurement(catalog: Catalog, database: str | None) -> Catalog:
    """`catalog` with the measured strengths in place of the article's, where there are any."""
    found: dict[str, dict[str, Evidence]] = {framework.id: {} for framework in catalog.frameworks}
    for criterion, measure in _measures(catalog).items():
        for id_, standing in catalog.standings(criterion, database).items():
            why = worded(catalog, measure, standing, database)
            found[id_][criterion] = Evidence(criterion, standing.strength, SOURCE, why)
    frameworks = tuple(
        f._replace(evidence={**f.evidence, **found[f.id]}) for f in catalog.frameworks
    )
    return replace(catalog, frameworks=frameworks)


def worded(catalog: Catalog, measure: Measure, standing: Standing, database: str | None) -> str:
    """A benchmark result, as the reason for a strength."""
    where = catalog.database_name(database or "")
    value = f"{number(standing.value)} {measure.unit} of {measure.what}"
    return f"{value} on {where}, {place(standing)}"


def place(standing: Standing) -> str:
    """Such as "2nd of 9"."""
    last = standing.place % 10 if standing.place % 100 not in (11, 12, 13) else 0
    ending = {1: "st", 2: "nd", 3: "rd"}.get(last, "th")
    return f"{standing.place}{ending} of {standing.of}"


def number(value: float) -> str:
    """With three digits that count, or all of them before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _measures(catalog: Catalog) -> Mapping[str, Measure]:
    return catalog.measuring.measures if catalog.measuring else {}


def _comparisons(catalog: Catalog, advice: Advice, database: str | None) -> Iterator[Comparison]:
    """For each criterion that has figures, each framework of the ranking."""
    answered = (q.option(advice.answers[q.id]) for q in catalog.workload if q.id in advice.answers)
    asked = {key for option in answered for key, weight in option.weights.items() if weight}
    for key, measure in sorted(_measures(catalog).items(), key=lambda item: item[0] not in asked):
        standings = catalog.standings(key, database)
        for ranked in advice.ranking if standings else ():
            one = catalog.framework(ranked.framework.id)  # with the article's evidence
            said, standing = one.evidence.get(key), standings.get(one.id)
            apart = _apart(catalog, said, standing)
            yield Comparison(one, measure, said, standing, apart, key in asked)


def _apart(catalog: Catalog, said: Evidence | None, standing: Standing | None) -> bool:
    if not said or not standing or not catalog.measuring:
        return False
    return abs(said.strength - standing.strength) >= catalog.measuring.disagree


def _lack(catalog: Catalog, article: Advice, database: str | None) -> str | None:
    """What a ranking by the measurement lacks, as sentences; None if it can be made."""
    if not catalog.measuring:
        lack = "the guidance of these templates has no criterion for them"
    elif not catalog.measurement:
        lack = f"these templates have no {FILE}"
    else:
        candidates = {ranked.framework.id for ranked in article.ranking}
        missing = [f for f in _without_figures(catalog, database) if f.id in candidates]
        if not missing:
            return None
        whom = (
            f" for {', '.join(f.name for f in missing)}" if len(missing) < len(candidates) else ""
        )
        where = f" on {catalog.database_name(database)}" if database else ""
        day = catalog.measurement.date
        lack = f"{FILE} of {day} has none{where}{whom}"
    return (
        f"--rank-by benchmarks needs benchmark results, but {lack}. "
        "Leave it out to rank by the article's ratings."
    )


def _without_figures(catalog: Catalog, database: str | None) -> Iterator[Framework]:
    for framework in catalog.frameworks:
        served = catalog.served(framework)
        requests = {measure.request for measure in _measures(catalog).values()}
        if not served or not all(served.figures(database, request) for request in requests):
            yield framework
