"""From answers about a workload to ranked frameworks, each with its reasons. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from scaffold.catalog.catalog import Catalog, Framework, Option
from scaffold.errors import NothingMaintained

CLOSE = 0.05  # of fit, between the first two


class Reason(NamedTuple):
    """What one criterion adds to a framework's score: weight times strength."""

    criterion: str
    why: str
    source: str
    points: int


class Ranked(NamedTuple):
    """`fit` is the score over the most that the answers could give; 0 where they ask nothing."""

    framework: Framework
    score: int
    fit: float
    reasons: tuple[Reason, ...]  # the strongest first
    unmet: tuple[str, ...]  # musts that it does not meet
    cautions: tuple[str, ...]


class Difference(NamedTuple):
    """Where one framework is stronger than another, on what the answers ask for."""

    criterion: str
    points: int  # by how much


class Advice(NamedTuple):
    """`answers` are those that were weighed.

    `split` has the frameworks for two services where none meets every must. `ties` are those of
    the ranking that nothing but the measurement put into their order.
    """

    answers: Mapping[str, str]
    musts: tuple[str, ...]
    ranking: tuple[Ranked, ...]
    split: tuple[Framework, ...]
    close: bool
    ties: tuple[tuple[Framework, ...], ...] = ()


def advise(catalog: Catalog, answers: Mapping[str, str], maintained: bool = False) -> Advice:
    """Ranks the frameworks of `catalog` for `answers`.

    Where these ask for nothing, the defaults of the other questions count. `maintained` leaves out
    the inactive frameworks; raises NothingMaintained where
    a requirement is then met by none. Benchmark results on the answers' database settle a tie.
    """
    given = workload_of(catalog, answers)
    if not _weights(_chosen(catalog, given)):
        given = defaults(catalog) | given
    chosen = _chosen(catalog, given)
    musts = tuple(option.must for option in chosen if option.must)
    candidates = [f for f in catalog.frameworks if f.facts.maintained or not maintained]
    _check_musts(catalog, candidates, musts)
    ranked = [_ranked(catalog, framework, _weights(chosen), musts) for framework in candidates]
    measured = _tie_strengths(catalog, catalog.database(answers))
    tied = list(_tied(ranked, measured))
    ranking = tuple(one for group in tied for one in group)
    return Advice(
        answers=given,
        musts=musts,
        ranking=ranking,
        split=_split(ranking),
        close=_is_close(ranking),
        ties=tuple(
            tuple(ranked.framework for ranked in group)
            for group in tied
            if _settled(group, measured)
        ),
    )


def ahead(catalog: Catalog, advice: Advice, one: Framework, other: Framework) -> list[Difference]:
    """Where `one` is ahead of `other`, the largest difference first."""
    weights = _weights(_chosen(catalog, advice.answers))
    gains = (
        Difference(criterion, weight * (one.strength(criterion) - other.strength(criterion)))
        for criterion, weight in weights.items()
    )
    return sorted((g for g in gains if g.points > 0), key=lambda gain: -gain.points)


def workload_of(catalog: Catalog, answers: Mapping[str, str]) -> dict[str, str]:
    """Those of `answers` that are about the workload, in the order of the questions."""
    return {q.id: answers[q.id] for q in catalog.workload if q.id in answers}


def defaults(catalog: Catalog) -> dict[str, str]:
    """What counts where somebody leaves every question about the workload as it is."""
    return {q.id: q.default or "" for q in catalog.workload}


def _chosen(catalog: Catalog, answers: Mapping[str, str]) -> list[Option]:
    return [q.option(answers[q.id]) for q in catalog.workload if q.id in answers]


def _weights(options: Iterable[Option]) -> Counter[str]:
    total: Counter[str] = Counter()
    for option in options:
        total.update(option.weights)
    return total


def _check_musts(catalog: Catalog, candidates: Iterable[Framework], musts: Iterable[str]) -> None:
    candidates = list(candidates)
    for must in musts:
        if not any(f.strength(must) >= catalog.must_strength for f in candidates):
            raise NothingMaintained(_nothing_left(catalog, must))


def _nothing_left(catalog: Catalog, must: str) -> str:
    able = [f for f in catalog.frameworks if f.strength(must) >= catalog.must_strength]
    known = "".join(f" {f.name}: {caution}." for f in able for caution in _cautions(f))
    return f"No maintained framework here is designed for {catalog.criteria[must]}.{known}"


def _tied(candidates: Iterable[Ranked], measured: Mapping[str, int]) -> Iterator[Sequence[Ranked]]:
    """Those that nothing asked for tells apart, the first group first, each in its order."""
    for _, group in groupby(sorted(candidates, key=_order), key=lambda one: _order(one)[:3]):
        tied = list(group)
        if _settled(tied, measured):
            tied.sort(key=lambda one: -measured[one.framework.id])
        yield tied


def _order(ranked: Ranked) -> tuple[int, int, int, int, int]:
    """Musts first, then the score; a tie goes by criteria met, release, place in the article.

    Benchmark results come between criteria met and release, and only if each that is tied has
    a figure: "not measured" is neither better nor worse.
    """
    met = sum(reason.points > 0 for reason in ranked.reasons)
    released = ranked.framework.facts.released.toordinal()
    return len(ranked.unmet), -ranked.score, -met, -released, ranked.framework.place


def _tie_strengths(catalog: Catalog, database: str | None) -> Mapping[str, int]:
    """Strengths and not the figures: these differ a little in each run, and no order should."""
    if not catalog.measuring:
        return {}
    standings = catalog.standings(catalog.measuring.tie, database)
    return {framework: standing.strength for framework, standing in standings.items()}


def _settled(tied: Sequence[Ranked], measured: Mapping[str, int]) -> bool:
    """Whether the measurement tells those that are tied apart."""
    if any(one.framework.id not in measured for one in tied):
        return False
    return len({measured[one.framework.id] for one in tied}) > 1


def _ranked(
    catalog: Catalog, framework: Framework, weights: Mapping[str, int], musts: tuple[str, ...]
) -> Ranked:
    reasons = tuple(
        Reason(criterion, evidence.why, evidence.source, weights[criterion] * evidence.strength)
        for criterion, evidence in framework.evidence.items()
        if weights.get(criterion)
    )
    score = sum(reason.points for reason in reasons)
    most = sum(weights.values()) * catalog.most_strength
    unmet = tuple(m for m in musts if framework.strength(m) < catalog.must_strength)
    return Ranked(
        framework=framework,
        score=score,
        fit=round(score / most, 4) if most else 0.0,
        reasons=tuple(sorted(reasons, key=lambda reason: -reason.points)),
        unmet=unmet,
        cautions=(*(_lacking(catalog, framework, m) for m in unmet), *_cautions(framework)),
    )


def _lacking(catalog: Catalog, framework: Framework, must: str) -> str:
    """That the article does not name a framework for what is required, and what it has of it."""
    unnamed = f"the article does not recommend it for {catalog.criteria[must]}"
    has = framework.evidence.get(must)
    return f"{has.why}, but {unnamed}" if has and has.strength > 0 else unnamed


def _cautions(framework: Framework) -> tuple[str, ...]:
    facts = framework.facts
    if not facts.caution:
        return ()
    instead = facts.alternative
    return (facts.caution + (f". Consider {instead.name}: {instead.why}" if instead else ""),)


def _split(ranking: tuple[Ranked, ...]) -> tuple[Framework, ...]:
    """The best framework for each must, in the article's order, where none meets them all."""
    if not ranking[0].unmet:
        return ()
    musts = {must for ranked in ranking for must in ranked.unmet}
    by_score = sorted(ranking, key=lambda ranked: -ranked.score)
    best = {next(r.framework for r in by_score if must not in r.unmet).id for must in musts}
    parts = (ranked.framework for ranked in ranking if ranked.framework.id in best)
    return tuple(sorted(parts, key=lambda framework: framework.place))


def _is_close(ranking: tuple[Ranked, ...]) -> bool:
    if len(ranking) < 2 or ranking[0].unmet != ranking[1].unmet:
        return False
    return ranking[0].fit - ranking[1].fit < CLOSE
