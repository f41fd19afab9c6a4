"""Writes into the pages what other files know: the tables of the frameworks, limits, exit codes.

    python -m docs.tables

In a page such a part stands between `<!-- generated: NAME -->` and `<!-- end -->`; NAME is a key
of PARTS, with the id of a framework after it where the part is about one. A test fails where a
page is not what this writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from docs import first_tests, footprint, peers, raw, s3rius, speed
from scaffold import errors
from scaffold.advice.evidence import RankBy, recommend
from scaffold.catalog import catalog
from scaffold.catalog.catalog import Catalog, Facts, Framework
from scaffold.errors import NotMeasured
from scaffold.resources.field_types import MODIFIERS, TYPES
from scaffold.terminal import figures, text_output
from scaffold.terminal.view import Terminal
from tests.tool import rooms

HERE = Path(__file__).resolve().parent

MARKED = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[a-z ]+?)(?: of (?P<framework>\w+))? -->\n)"
    r".*?(?P<end><!-- end -->)",
    re.DOTALL,
)
PAGE = Terminal(width=90, colour=False, drawing=True)
KEPT = {"active": "active", "slow": "infrequent releases", "stale": "**inactive**"}
GUIDANCE_SOURCES = {"section", "table", "conclusion", "inferred"}  # the article's, not ours


def frameworks_table(known: Catalog, links: str) -> Iterator[str]:
    """One line for each: what the article says first of it, its server, how it is kept.

    Where there are figures they are a column more, and below stands what they mean.
    """
    headings = ["framework", "what the article says it is for", "server", "release", "maintenance"]
    headings += ["measured here"] if known.measurement else []
    yield f"| {' | '.join(headings)} |"
    yield f"| {' | '.join('---' for _ in headings)} |"
    for one in known.frameworks:
        facts = one.facts
        cells = [
            f"[{one.name}]({links}{one.id}.md)",
            strongest(one),
            facts.server,
            f"{facts.version} ({facts.released})",
            KEPT[facts.status],
            *([_rates(known, one)] if known.measurement else []),
        ]
        yield f"| {' | '.join(cells)} |"
    if known.measurement:
        names = " / ".join(known.database_name(database) for database in _databases(known))
        yield ""
        page = links.replace("frameworks/", "speed.md")
        yield f"Measured here: requests per second for reading one item, on {names}"
        yield f"({figures.conditions(known.measurement)}). [All results]({page})"


def _rates(known: Catalog, one: Framework) -> str:
    """The requests a second for one item on each database, in the order of `_databases`."""
    served = known.served(one)
    found = [served and served.figures(key, figures.HEADLINE) for key in _databases(known)]
    return " / ".join(f"{one.rps:,.0f}" if one else "-" for one in found)


def _databases(known: Catalog) -> tuple[str, ...]:
    return known.measured_by.choices if known.measured_by else ()


def strongest(one: Framework) -> str:
    """What the guidance says loudest of it, where it says so itself rather than we; or nothing."""
    said = [e for e in one.evidence.values() if e.source in GUIDANCE_SOURCES]
    return max(said, key=lambda evidence: evidence.strength).why if said else "-"


def facts_of(known: Catalog, one: Framework) -> Iterator[str]:
    """What is known of one framework, with its evidence."""
    yield f"{one.summary}."
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    for name, value in _facts(one.facts):
        yield f"| {name} | {value} |"
    if known.measurement and (line := figures.line(PAGE, known, one)):
        yield f"| benchmarks of {known.measurement.date} | {line} |"
    yield ""
    yield "| the article's rating | strength | source |"
    yield "| --- | --- | --- |"
    for said in sorted(one.evidence.values(), key=lambda e: -e.strength):
        text = f"{known.criteria[said.criterion]}: {said.why}"
        yield f"| {text} | {said.strength:+} | {known.sources[said.source]} |"


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "release", f"{facts.package} {facts.version}, {facts.released}, {KEPT[facts.status]}"
    yield "Python", ", ".join(facts.pythons)
    yield "server", facts.server
    if facts.note:
        yield "note", facts.note
    if facts.caution:
        yield "caution", facts.caution
    if facts.alternative:
        yield "maintained alternative", f"{facts.alternative.name}: {facts.alternative.why}"


def limits_of(_: Catalog, one: Framework) -> Iterator[str]:
    """The requirements that a template does not meet."""
    if not one.limits:
        yield "None: it meets every requirement of [the contract](../contract.md)."
        return
    yield "It does not meet these requirements of [the contract](../contract.md):"
    yield ""
    for limit in one.limits:
        yield f"- {limit.line}: {limit.what} ({limit.evidence})"


def limits_table(known: Catalog) -> Iterator[str]:
    """Every limit once, with the frameworks that have it."""
    having: dict[tuple[str, str], list[str]] = {}
    for one in known.frameworks:
        for limit in one.limits:
            having.setdefault((limit.line, limit.what), []).append(one.name)
    yield "| requirement | known limitation | frameworks |"
    yield "| --- | --- | --- |"
    for (line, what), names in sorted(having.items()):
        yield f"| {line} | {what} | {', '.join(names)} |"


def questions_table(known: Catalog) -> Iterator[str]:
    """Each question about the workload, with its flag and what may be answered."""
    yield "| question | flag | answers, the default first |"
    yield "| --- | --- | --- |"
    for question in known.workload:
        answers = sorted(question.options, key=lambda o: o.id != question.default)
        cells = "; ".join(f"`{option.id}` {option.label}" for option in answers)
        yield f"| {question.ask} | `--{question.id}` | {cells} |"


def fields_table(known: Catalog) -> Iterator[str]:
    """Each question about the project, with what may be answered."""
    yield "| question | flag | answers, the default first |"
    yield "| --- | --- | --- |"
    for question in known.fields:
        flag = "the first argument" if question.id == "name" else f"`{question.flag}`"
        default = None if question.id == "framework" else question.default
        choices = sorted(question.choices, key=lambda choice: choice != default)
        text = "[declarations](resources.md), each a flag" if question.is_declared else "text"
        answers = ", ".join(f"`{choice}`" for choice in choices) or text
        answers = f"none, or any of {answers}" if question.multiple else answers
        yield f"| {question.ask} | {flag} | {answers} |"


def types_table() -> Iterator[str]:
    """The modifiers that fields of each type may have."""
    yield f"| type | {' | '.join(f'`{modifier}`' for modifier in MODIFIERS)} |"
    yield f"| --- |{' --- |' * len(MODIFIERS)}"
    for name, type_ in TYPES.items():
        cells = ("yes" if modifier in type_.modifiers else "" for modifier in MODIFIERS)
        yield f"| `{name}` | {' | '.join(cells)} |"


def evidence_example(known: Catalog) -> Iterator[str]:
    """What the advice by the measurement comes to, as the command prints it."""
    try:
        recommendation = recommend(known, {"load": "rate"}, rank_by=RankBy.BENCHMARKS)
    except NotMeasured as lack:
        yield f"If benchmark results are missing, the error says which, with exit code {lack.code}:"
        shown = f"scaffold: {lack}"
    else:
        yield "With `--load rate`:"
        shown = text_output.advice(PAGE, known, recommendation)
    yield from ("", "```text", *shown.splitlines(), "```")


def errors_table() -> Iterator[str]:
    """Every kind of error that `--json` may name, with its exit code."""
    kinds = {(one.code, one.kind, one) for one in _below(errors.UserError)}
    documented = dict(re.findall(r"(\w+) +\d+  [a-z-]+ +(\S.*)", errors.__doc__ or ""))
    yield "| exit code | `kind` | when |"
    yield "| --- | --- | --- |"
    yield "| 0 | | done |"
    yield "| 1 | `unexpected` | a bug in scaffold; `--debug` shows the traceback |"
    yield "| 2 | `usage` | an unknown flag or argument |"
    rows = [(code, f"`{kind}`", documented[one.__name__]) for code, kind, one in kinds]
    rows += [(4, "", "`update`, `add` or `remove` left conflicts, marked in the files")]
    rows += [(5, "", "`check` found a service that is behind or has drifted")]
    for code, kind, when in sorted(rows):
        yield f"| {code} | {kind} | {when} |"


def _below(one: type[errors.UserError]) -> Iterator[type[errors.UserError]]:
    for child in one.__subclasses__():
        yield child
        yield from _below(child)


def bad_input() -> Iterator[str]:
    """How many of the measured cases each generator got wrong, the worst first."""
    rows = (HERE / "peers-bad-input.md").read_text(encoding="utf-8").splitlines()
    cells = [[c.strip(" *") for c in row.strip("|").split("|")] for row in rows if row[:1] == "|"]
    head, *cases = (row for row in cells if not set("".join(row)) <= {"-"})
    counts = sorted(zip(map(int, cases.pop()[1:]), head[1:], strict=True), reverse=True)
    said = ", ".join(f"{tool}: {faults}" for faults, tool in counts)
    yield f"Faults in {len(cases)} cases of bad input: {said}."


ABOUT_ALL: dict[str, Callable[[Catalog], Iterator[str]]] = {
    "frameworks": lambda known: frameworks_table(known, "frameworks/"),
    "frameworks for the readme": lambda known: frameworks_table(known, "docs/frameworks/"),
    "limits": limits_table,
    "questions": questions_table,
    "fields": fields_table,
    "types": lambda _: types_table(),
    "errors": lambda _: errors_table(),
    "evidence": evidence_example,
    "bad input": lambda _: bad_input(),
    "serving": lambda _: speed.serving_part(),
    "profile": lambda _: speed.profile_part(),
    "raw profile": lambda _: raw.profile_part(),
    "footprint": lambda _: footprint.part(),
    "growth": lambda _: speed.growth_part(),
    "peers": lambda _: peers.part(),
    "first tests": lambda _: first_tests.part(),
    "fastapi template": lambda _: s3rius.part(),
    "raw": lambda _: raw.part(),
    "rooms": lambda _: rooms.drawing(),
}
ABOUT_ONE: dict[str, Callable[[Catalog, Framework], Iterator[str]]] = {
    "facts": facts_of,
    "limits": limits_of,
}


def current(text: str, known: Catalog) -> str:
    """A page with its generated parts as they are today."""

    def part(found: re.Match[str]) -> str:
        name, framework = found["name"], found["framework"]
        lines = (
            ABOUT_ONE[name](known, known.framework(framework))
            if framework
            else ABOUT_ALL[name](known)
        )
        body = "\n".join(lines)
        return f"{found['begin']}\n{body}\n\n{found['end']}"

    return MARKED.sub(part, text)


def pages() -> list[Path]:
    top = [HERE.parent / name for name in ("README.md", "CONTRIBUTING.md")]
    return [*top, *sorted(HERE.glob("*.md")), *HERE.glob("frameworks/*.md")]


def main() -> None:
    known = catalog.load(HERE.parent)
    for page in pages():
        page.write_text(current(page.read_text(encoding="utf-8"), known), encoding="utf-8")


if __name__ == "__main__":
    main()
