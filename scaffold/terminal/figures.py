"""Benchmark results as text, beside the article's rating. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from scaffold.advice.evidence import Comparison, RankBy, Recommendation, number, place
from scaffold.advice.ranking import Advice
from scaffold.catalog.catalog import Catalog, Framework
from scaffold.catalog.measured import Figures, Measurement, Served, Standing
from scaffold.terminal.view import Terminal, percent

HEADLINE = "read"  # the request that says most in one figure
REQUESTS = {"livez": "liveness", "read": "one item", "list": "50 items", "create": "a new item"}
HEADINGS = ("requests/s", "CPU µs", "p50 ms", "p99 ms", "of baseline")
MEANING = (
    "The baseline is the same framework, server and query with nothing added. "
    "Compare only results of the same run and machine."
)


# ---- of one framework


def brief(catalog: Catalog, one: Framework) -> str | None:
    """Requests per second for one item; None if they were not measured."""
    rates = [f"{figures.rps:,.0f}/s on {name}" for name, figures in _headlines(catalog, one)]
    if not rates or not catalog.measurement:
        return None
    return f"Reads of one item: {', '.join(rates)} (benchmark of {catalog.measurement.date})."


def line(terminal: Terminal, catalog: Catalog, one: Framework) -> str | None:
    """The results for one item on each database, memory and startup time; None without them."""
    served = catalog.served(one)
    parts = [
        f"{figures.rps:,.0f}/s on {name} ({number(figures.cpu_us)} µs of CPU, "
        f"{percent(figures.kept)} of baseline)"
        for name, figures in _headlines(catalog, one)
    ]
    if not parts or not served or not catalog.measurement:
        return None
    return terminal.drawn(f"Reads of one item: {', '.join(parts)}; {_process(served)}")


def legend(terminal: Terminal, catalog: Catalog, listed: Iterable[Framework]) -> Iterator[str]:
    """How the results in a list were measured, and what they mean."""
    if catalog.measurement and any(catalog.served(one) for one in listed):
        yield ""
        yield from terminal.wrapped(f"Measured on {conditions(catalog.measurement)}. {MEANING}")


def sheet(terminal: Terminal, catalog: Catalog, one: Framework) -> Iterator[str]:
    """All benchmark results of a framework's service, and how they were measured."""
    served = catalog.served(one)
    if not served or not catalog.measurement:
        return
    yield terminal.style(f"Benchmark results of {catalog.measurement.date}", "strong")
    for database, requests in served.databases.items():
        yield from _table(terminal, catalog.database_name(database), requests)
    yield from terminal.wrapped(f"{_process(served)}.", "  ", "  ")
    versions = ", ".join(f"{name} {version}" for name, version in served.versions.items())
    text = f"With {versions}. Measured on {conditions(catalog.measurement)}. {MEANING}"
    yield from terminal.wrapped(text, "  ", "  ")
    yield ""


def conditions(measurement: Measurement) -> str:
    """When, on what and how it was measured."""
    return (
        f"{measurement.date} on one core of {measurement.machine.cpu}, "
        f"Python {measurement.python}, {measurement.connections} connections, "
        f"{measurement.rounds} rounds of {number(measurement.seconds)} s"
    )


def _headlines(catalog: Catalog, one: Framework) -> Iterator[tuple[str, Figures]]:
    """The figures for one item, each with the name of its database."""
    served = catalog.served(one)
    for database in served.databases if served else ():
        if served and (figures := served.figures(database, HEADLINE)):
            yield catalog.database_name(database), figures


def _process(served: Served) -> str:
    return f"{served.memory_mb:,.0f} MB of memory, starts in {served.start_seconds:.1f} s"


def _table(terminal: Terminal, title: str, requests: Mapping[str, Figures]) -> Iterator[str]:
    """A line for each request; a sentence for each where the columns do not fit."""
    headings = [terminal.drawn(heading) for heading in HEADINGS]
    rows = {REQUESTS.get(request, request): _cells(one) for request, one in requests.items()}
    first = max(map(len, (title, *rows)))
    widths = [len(heading) + 2 for heading in headings]
    if 2 + first + sum(widths) < terminal.width:
        for name, cells in {title: headings, **rows}.items():
            columns = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
            yield f"  {name:{first}}{''.join(columns)}"
        return
    yield f"  {title}"
    for name, cells in rows.items():
        said = ", ".join(f"{head} {cell}" for cell, head in zip(cells, headings, strict=True))
        yield from terminal.wrapped(f"{name}: {said}", "      ", "    ")


def _cells(figures: Figures) -> list[str]:
    values = (figures.cpu_us, figures.p50_ms, figures.p99_ms)
    return [f"{figures.rps:,.0f}", *map(number, values), percent(figures.kept)]


# ---- beside the advice


def beside(terminal: Terminal, catalog: Catalog, recommendation: Recommendation) -> list[str]:
    """What the measurement says beside the article; nothing where it says nothing."""
    tables = [*_tables(terminal, catalog, recommendation)]
    values = [] if tables else _values(recommendation, _recommended(recommendation.advice))
    sentences = [*values, *_other(catalog, recommendation), *_ties(_telling(recommendation.advice))]
    return [*tables, *_hanging(terminal, sentences)]


def shortly(terminal: Terminal, catalog: Catalog, recommendation: Recommendation) -> list[str]:
    """The same of those alone that are recommended, where there is little room."""
    advised, other = recommendation.advice, recommendation.other
    ids = _recommended(advised)
    ties = [tie for tie in _telling(advised) if any(framework.id in ids for framework in tie)]
    sentences = [*_values(recommendation, ids), *_other(catalog, recommendation), *_ties(ties)]
    if recommendation.rank_by is RankBy.BENCHMARKS and recommendation.asked:
        sentences.append(f"Ranked by the article's ratings: {result(recommendation.article)}.")
    rivals = ids + (_recommended(other)[:1] if other else [])
    apart = [one for one in recommendation.asked if one.disagrees and one.framework.id in rivals]
    return [
        *_hanging(terminal, sentences),
        *(line for one in apart for line in _apart(terminal, one)),
    ]


def _hanging(terminal: Terminal, sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from terminal.wrapped(sentence, "  ", "")


def _recommended(advised: Advice) -> list[str]:
    """Their ids, the first one first."""
    first = advised.split or (ranked.framework for ranked in advised.ranking[:2])
    return [framework.id for framework in first]


def remark(recommendation: Recommendation, framework_id: str, criterion: str) -> str:
    """What the other kind of evidence says of a strength, beside the reason for it."""
    of_it = (one for one in recommendation.comparisons if one.framework.id == framework_id)
    found = next((one for one in of_it if one.criterion == criterion), None)
    if found is None:
        return ""
    if recommendation.rank_by is RankBy.BENCHMARKS:
        said = f"the article: {_word(found)}"
    elif found.standing:
        value = f"{number(found.standing.value)} {found.measure.unit} of {found.measure.what}"
        said = f"benchmark: {value}, {_stands(found.standing)}"
    else:
        said = "not measured"
    return f"{said}; the two disagree" if found.disagrees else said


def result(advice: Advice) -> str:
    """A ranking in a few words."""
    if advice.split:
        return f"two services, {' and '.join(framework.name for framework in advice.split)}"
    first = (f"{one.framework.name} ({percent(one.fit)})" for one in advice.ranking[:2])
    return ", then ".join(first)


def _word(comparison: Comparison) -> str:
    said = comparison.said
    return f"{said.why} ({_signed(said.strength)})" if said else "no rating"


def _signed(strength: int) -> str:
    return f"{strength:+}" if strength else "0"


def _stands(standing: Standing) -> str:
    times = "" if standing.place == 1 else f", {standing.times:g} times the best"
    return f"{place(standing)}{times} ({_signed(standing.strength)})"


def _tables(terminal: Terminal, catalog: Catalog, recommendation: Recommendation) -> Iterator[str]:
    """For each criterion that is asked for: both strengths, the figure, and who disagrees."""
    for measure in dict.fromkeys(one.measure for one in recommendation.asked):
        compared = [one for one in recommendation.asked if one.measure == measure]
        yield from terminal.wrapped(
            f"{catalog.criteria[measure.criterion].capitalize()}: the article's rating and the "
            f"benchmark of {recommendation.date} "
            f"({measure.unit} of {measure.what} on {recommendation.where})"
        )
        widest = max(len(one.framework.name) for one in compared)
        yield f"  {'':{widest}} article measured"
        yield from (_row(terminal, one, widest) for one in compared)
        yield from (line for one in compared if one.disagrees for line in _apart(terminal, one))


def _row(terminal: Terminal, one: Comparison, widest: int) -> str:
    said = _signed(one.said.strength) if one.said else "-"
    figure = number(one.standing.value) if one.standing else ""
    strength = _signed(one.standing.strength) if one.standing else "-"
    row = f"  {one.framework.name:{widest}} {said:>7} {figure:>5} {strength:>2}"
    return terminal.style(f"{row} !", "warn") if one.disagrees else row


def _apart(terminal: Terminal, one: Comparison) -> Iterator[str]:
    measured = _stands(one.standing) if one.standing else ""
    name = one.framework.name
    text = f"{name}: the two disagree. Article: {_word(one)}. Benchmark: {measured}."
    yield from (terminal.style(line, "warn") for line in terminal.wrapped(text, "    ", "  ! "))


def _values(recommendation: Recommendation, ids: Collection[str]) -> Iterator[str]:
    """The results of those with these `ids`, by the measure with the most weight."""
    measure = next((one.measure for one in recommendation.comparisons), None)
    of_it = [one for one in recommendation.comparisons if one.measure == measure]
    parts = [
        f"{one.framework.name} {number(one.standing.value)} ({place(one.standing)})"
        for one in of_it
        if one.standing and one.framework.id in ids
    ]
    if measure and parts:
        unused = "" if recommendation.asked else " It does not affect the recommendation."
        yield (
            f"Benchmark of {recommendation.date}, {measure.unit} of {measure.what} on "
            f"{recommendation.where}: {', '.join(parts)}.{unused}"
        )


def _other(catalog: Catalog, recommendation: Recommendation) -> Iterator[str]:
    """The result by the other kind of evidence, and which criteria each kind covers."""
    names = " and ".join(
        dict.fromkeys(catalog.criteria[one.criterion] for one in recommendation.asked)
    )
    if recommendation.rank_by is RankBy.BENCHMARKS:
        if recommendation.asked:
            yield f"Benchmarks cover {names}; all other criteria use the article's ratings."
        else:
            yield "No benchmark affects the recommendation, so both rankings are the same."
    elif recommendation.asked and recommendation.measured:
        same = _recommended(recommendation.measured) == _recommended(recommendation.article)
        found = f"{'also ' if same else ''}{result(recommendation.measured)}"
        yield f"Ranked by benchmarks: {found}. For details, use --rank-by benchmarks."


def _telling(advised: Advice) -> list[tuple[Framework, ...]]:
    """The ties of frameworks that something speaks for."""
    named = {ranked.framework.id for ranked in advised.ranking if ranked.score > 0}
    return [tie for tie in advised.ties if tie[0].id in named]


def _ties(ties: Iterable[tuple[Framework, ...]]) -> Iterator[str]:
    """The ties that benchmark results have broken."""
    orders = "; ".join(", ".join(framework.name for framework in tie) for tie in ties)
    if orders:
        yield f"Tied on score, so ordered by benchmarks: {orders}."
