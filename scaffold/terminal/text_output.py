"""Turns values into the text that a person reads, for a width, with or without colour. Pure."""

import re
import shlex
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scaffold.advice.evidence import RankBy, Recommendation
from scaffold.advice.ranking import Advice, Ranked, Reason, ahead
from scaffold.answers import answers, naming
from scaffold.catalog.catalog import Catalog, Facts, Framework
from scaffold.catalog.skills import Skill
from scaffold.making.service import STEPS, Made
from scaffold.terminal import figures
from scaffold.terminal.view import WIDEST, Terminal, percent

REASONS = 3
KEPT = {"active": "active", "slow": "infrequent releases", "stale": "inactive"}
DOCS = "http://127.0.0.1:8000/docs"
CONTINUED, JOINED = " \\", "    "  # a line of the shell that goes on, and the one below it
UNKEPT = KEPT["stale"]


# ---- advice


def advice(
    terminal: Terminal, catalog: Catalog, recommendation: Recommendation, explain: bool = False
) -> str:
    """The choice and its reasons, then all of them on a scale; or, to explain, every reason.

    Benchmark results stand below. A ranking that goes by it comes with the one that does not.
    """
    advised = recommendation.advice
    rest = (
        _explanations(terminal, catalog, recommendation)
        if explain
        else _scale(terminal, catalog, advised)
    )
    parts = [[choice(terminal, catalog, advised)], [*rest]]
    if recommendation.rank_by is RankBy.BENCHMARKS:
        title = f"Ranked by the benchmarks of {recommendation.date}"
        parts.insert(0, [terminal.style(title, "strong")])
        parts += _by_article(terminal, catalog, recommendation) if recommendation.asked else []
    parts.append(figures.beside(terminal, catalog, recommendation))
    return "\n\n".join("\n".join(part).rstrip("\n") for part in parts if part)


def _by_article(
    terminal: Terminal, catalog: Catalog, recommendation: Recommendation
) -> Iterator[list[str]]:
    yield [terminal.style("Ranked by the article's ratings", "strong")]
    yield _headline(terminal, catalog, recommendation.article)
    yield [*_scale(terminal, catalog, recommendation.article)]


def recommendation(terminal: Terminal, catalog: Catalog, recommendation: Recommendation) -> str:
    """The choice alone, with its benchmark results."""
    beside = figures.shortly(terminal, catalog, recommendation)
    return "\n".join(
        [choice(terminal, catalog, recommendation.advice), *(["", *beside] if beside else [])]
    )


def chosen(terminal: Terminal, recommendation: Recommendation) -> str:
    """What `new` says where it went by the measurement: both results."""
    by_figures = figures.result(recommendation.advice)
    by_word = figures.result(recommendation.article)
    when = recommendation.date
    text = (
        f"Ranked by the benchmarks of {when}: {by_figures}. "
        f"Ranked by the article's ratings: {by_word}."
    )
    return "\n".join([*terminal.wrapped(text), "", ""])


def choice(terminal: Terminal, catalog: Catalog, advised: Advice) -> str:
    """The first with three reasons and the runner-up, or why the workload needs two services."""
    body = _two_services if advised.split else _first_two
    return "\n".join(
        [*_headline(terminal, catalog, advised), "", *body(terminal, catalog, advised)]
    )


def _headline(terminal: Terminal, catalog: Catalog, advised: Advice) -> list[str]:
    if advised.split:
        names = " and ".join(framework.name for framework in advised.split)
        return [
            terminal.style(line, "strong")
            for line in terminal.wrapped(f"This workload needs two services: {names}")
        ]
    best = advised.ranking[0]
    name = best.framework.name
    said = f"Best match: {name} ({percent(best.fit)}){_alone(catalog, advised)}"
    first, *others = terminal.wrapped(said)
    return [first.replace(name, terminal.style(name, "strong"), 1), *others]


def _alone(catalog: Catalog, advised: Advice) -> str:
    """Why the first is first if the next has the better fit but does not meet a requirement."""
    best, second = advised.ranking[0], advised.ranking[1:2]
    if not second or not second[0].unmet or second[0].fit <= best.fit:
        return ""
    return f": the only one designed for {' and '.join(catalog.criteria[m] for m in advised.musts)}"


def _two_services(terminal: Terminal, catalog: Catalog, advised: Advice) -> Iterator[str]:
    wanted = " and ".join(catalog.criteria[must] for must in advised.musts)
    yield from terminal.wrapped(
        f"No framework is designed for both {wanted}. Generate one of each:"
    )
    for framework in advised.split:
        why = next(
            framework.evidence[m].why for m in advised.musts if _meets(catalog, framework, m)
        )
        yield from terminal.wrapped(f"{framework.name}: {why}", "    ", "  - ")


def _meets(catalog: Catalog, framework: Framework, must: str) -> bool:
    return framework.strength(must) >= catalog.must_strength


def _first_two(terminal: Terminal, catalog: Catalog, advised: Advice) -> Iterator[str]:
    best = advised.ranking[0]
    yield from _reasons(terminal, catalog, best.reasons)
    yield from _cautions(terminal, best)
    if len(advised.ranking) == 1:
        return
    second = advised.ranking[1]
    yield ""
    if second.score <= 0:
        yield from terminal.wrapped("The article does not recommend any other framework for this.")
        return
    close = ", a close second" if advised.close else ""
    name = terminal.style(second.framework.name, "strong")
    yield f"Runner-up: {name} ({percent(second.fit)}){close}"
    yield from _compared(terminal, catalog, advised, second.framework, best.framework)
    yield from _cautions(terminal, second)


def _reasons(terminal: Terminal, catalog: Catalog, reasons: Sequence[Reason]) -> Iterator[str]:
    for reason in [r for r in reasons if r.points > 0][:REASONS]:
        yield from terminal.wrapped(
            f"{catalog.criteria[reason.criterion]}: {reason.why}", "    ", "  + "
        )


def _compared(
    terminal: Terminal, catalog: Catalog, advised: Advice, one: Framework, other: Framework
) -> Iterator[str]:
    for word, a, b in (("ahead on", one, other), ("behind on", other, one)):
        if criteria := [catalog.criteria[d.criterion] for d in ahead(catalog, advised, a, b)]:
            yield from terminal.wrapped(f"{word} {', '.join(criteria)}", "    ", "  ")


def _cautions(terminal: Terminal, ranked: Ranked) -> Iterator[str]:
    for caution in ranked.cautions:
        for line in terminal.wrapped(caution, "    ", "  ! "):
            yield terminal.style(line, "warn")


def _scale(terminal: Terminal, catalog: Catalog, advised: Advice) -> Iterator[str]:
    widest = max(len(ranked.framework.name) for ranked in advised.ranking)
    unmet: tuple[str, ...] = ()
    for ranked in advised.ranking:
        if ranked.unmet != unmet:
            unmet = ranked.unmet
            lacking = " or ".join(catalog.criteria[must] for must in unmet)
            yield from terminal.wrapped(f"The article does not recommend these for {lacking}:")
        line = f"  {scaled(terminal, ranked, widest)}"
        kept = "" if ranked.framework.facts.maintained else f"  {UNKEPT}"
        room = "" if len(line + kept) < terminal.width else "\n  "
        shown = terminal.style(line, "quiet") if unmet else line
        yield f"{shown}{room}{terminal.style(kept, 'warn')}" if kept else shown


def remark(catalog: Catalog, advised: Advice, ranked: Ranked) -> str:
    """What speaks against a framework whatever its fit; or which of two services it is for."""
    if ranked.unmet and advised.split:
        met = [catalog.criteria[m] for m in advised.musts if m not in ranked.unmet]
        return f"for {' and '.join(met)}" if met else "not recommended for either"
    if ranked.unmet:
        return "not recommended"
    return "" if ranked.framework.facts.maintained else UNKEPT


def about(catalog: Catalog, one: Framework) -> str:
    """A framework in a few sentences: what it is, its maintenance, its benchmark results."""
    facts = one.facts
    kept = f"{one.summary}. Version {facts.version} ({facts.released}), {KEPT[facts.status]}."
    return " ".join(filter(None, (kept, figures.brief(catalog, one))))


def scaled(terminal: Terminal, ranked: Ranked, widest: int) -> str:
    """One framework and its fit, on a scale of `widest` and 17 columns."""
    return f"{ranked.framework.name:{widest}} {terminal.bar(ranked.fit)} {percent(ranked.fit):>5}"


def _explanations(
    terminal: Terminal, catalog: Catalog, recommendation: Recommendation
) -> Iterator[str]:
    for ranked in recommendation.advice.ranking:
        name = terminal.style(ranked.framework.name, "strong")
        yield f"{name} {ranked.score} points ({percent(ranked.fit)})"
        for r in ranked.reasons:
            text = f"{catalog.criteria[r.criterion]}: {r.why} ({catalog.sources[r.source]})"
            yield from terminal.wrapped(text, "       ", f"  {r.points:+3}  ")
            beside = figures.remark(recommendation, ranked.framework.id, r.criterion)
            yield from terminal.wrapped(beside, "         ", "       ")
        yield from _cautions(terminal, ranked)
        yield ""


# ---- list and show


def frameworks(terminal: Terminal, catalog: Catalog, listed: Sequence[Framework]) -> str:
    """One block for each framework: what it is, the facts and figures beside the guidance."""
    lines = [line for framework in listed for line in _listed(terminal, catalog, framework)]
    return "\n".join([*lines, *figures.legend(terminal, catalog, listed)])


def _listed(terminal: Terminal, catalog: Catalog, framework: Framework) -> Iterator[str]:
    state = "" if framework.has_template else terminal.style(" (no template yet)", "quiet")
    yield f"{terminal.style(framework.id, 'strong')}{state}"
    yield from terminal.wrapped(framework.summary, "  ")
    for line in terminal.wrapped(_release(framework.facts), "  "):
        yield terminal.style(line, "quiet" if framework.facts.maintained else "warn")
    yield from terminal.wrapped(figures.line(terminal, catalog, framework) or "", "  ")


def _release(facts: Facts) -> str:
    pythons = f"{facts.pythons[0]} to {facts.pythons[-1]}"
    return (
        f"{facts.package} {facts.version} ({facts.released}), {KEPT[facts.status]}, "
        f"Python {pythons}, server: {facts.server}"
    )


def framework(terminal: Terminal, catalog: Catalog, one: Framework, files: Sequence[str]) -> str:
    """Everything that is known of one framework, and the files that its template makes."""
    parts = [
        _about(terminal, one),
        _evidence(terminal, catalog, one),
        figures.sheet(terminal, catalog, one),
        _limits(terminal, one),
        _files(terminal, one, files),
    ]
    return "\n".join(line for part in parts for line in part).rstrip()


def _about(terminal: Terminal, one: Framework) -> Iterator[str]:
    yield terminal.style(one.name, "strong")
    yield from terminal.wrapped(f"{one.summary}.")
    yield from terminal.wrapped(_release(one.facts))
    if one.facts.note:
        yield from terminal.wrapped(f"Note: {one.facts.note}.")
    if one.facts.caution:
        for line in terminal.wrapped(f"Caution: {one.facts.caution}."):
            yield terminal.style(line, "warn")
    if instead := one.facts.alternative:
        yield from terminal.wrapped(f"Maintained alternative: {instead.name}; {instead.why}.")
    yield ""


def _evidence(terminal: Terminal, catalog: Catalog, one: Framework) -> Iterator[str]:
    yield terminal.style("Ratings", "strong")
    for e in sorted(one.evidence.values(), key=lambda e: -e.strength):
        text = f"{catalog.criteria[e.criterion]}: {e.why} ({catalog.sources[e.source]})"
        yield from terminal.wrapped(text, "      ", f"  {e.strength:+}  ")
    yield ""


def _limits(terminal: Terminal, one: Framework) -> Iterator[str]:
    if not one.limits:
        return
    yield terminal.style("Known limitations", "strong")
    for limit in one.limits:
        yield from terminal.wrapped(f"{limit.line} {limit.what} ({limit.evidence})", "    ", "  - ")
    yield ""


def _files(terminal: Terminal, one: Framework, files: Sequence[str]) -> Iterator[str]:
    if not one.has_template:
        yield "It has no template yet."
        return
    yield terminal.style(f"Generated files ({len(files)})", "strong")
    yield from tree(terminal, files)


# ---- skills


def skills(terminal: Terminal, listed: Sequence[Skill], written: Sequence[Path]) -> str:
    """One block for each skill, or the files that were written."""
    if written:
        return "\n".join(["Written:", *(f"  {file}" for file in written)])
    lines = []
    for skill in listed:
        lines += [terminal.style(skill.name, "strong"), *terminal.wrapped(skill.description, "  ")]
    show = "scaffold skills NAME prints one; --output FOLDER writes them for your agent."
    return "\n".join([*lines, "", *terminal.wrapped(show)])


# ---- new


def ending(
    terminal: Terminal,
    made: Made,
    output: Path,
    command: str,
    dry_run: bool = False,
    then: str | None = None,
) -> str:
    """The end of `new`: the tree, the warnings, what to do next, and how to repeat the run.

    `then` is the command that generates the second service of a workload that needs two.
    """
    name = made.path.name
    folder = shlex.quote(str(output / name))
    run = [line for command in made.run for line in _typed(terminal, command)]
    following = [f"  cd {folder}", "  uv run pytest", *(run or [f"  uv run {name}"])]
    docs = [*terminal.wrapped(f"then open {DOCS} for interactive API docs", "    ", "  ")]
    parts = {
        "Warnings": [line for w in made.warnings for line in terminal.wrapped(w, "    ", "  ")],
        "Next": [] if dry_run else [*following, *docs],
        "To generate the second service": shell_lines(terminal, then) if then else [],
        "Equivalent non-interactive command": shell_lines(terminal, command),
    }
    lines = [""] if terminal.wraps and not dry_run else []  # below the steps that were shown
    lines += [terminal.style(f"{name}/", "strong"), *tree(terminal, made.files)]
    for heading, body in parts.items():
        lines += ["", terminal.style(heading, "strong"), *body] if body else []
    return "\n".join([*lines, *(["", "Nothing was written."] if dry_run else [])])


def _typed(terminal: Terminal, command: str) -> list[str]:
    """`command` as it stands; in lines that fit a screen, and without a comment that does not."""
    room = terminal.width - 1 - len("  ")
    if not terminal.wraps or len(command) <= room:
        return [f"  {command}"]
    command = command.partition("  #")[0]
    room -= len(JOINED) if len(command) > room else 0
    first, *others = textwrap.wrap(command, room, break_long_words=False, break_on_hyphens=False)
    lines = [f"  {first}", *(JOINED + line for line in others)]
    return [line + CONTINUED for line in lines[:-1]] + lines[-1:]


def shell_lines(terminal: Terminal, command: str) -> list[str]:
    """`command` in lines that fit and that a shell joins again; in one if it is not for a screen.

    A word that is longer than a line is quoted in parts. These begin in the first column, since a
    space before one would end the word.
    """
    whole = f"  {command}"
    if not terminal.wraps or len(whole) < terminal.width:
        return [whole]
    room = min(terminal.width, WIDEST) - 1 - len(CONTINUED)
    lines = ["  "]
    for first, *others in _chunks(shlex.split(command), room - len(JOINED)):
        if lines[-1].strip() and len(lines[-1]) + 1 + len(first) > room:
            lines[-1] += CONTINUED
            lines.append(JOINED)
        lines[-1] += f" {first}" if lines[-1].strip() else first
        for other in others:
            lines[-1] += CONTINUED.strip()
            lines.append(other)
    return lines


def _chunks(words: Iterable[str], room: int) -> Iterator[list[str]]:
    """The words of a command in parts that fit, a flag with its value."""
    flag = ""
    for word in [*words, "--"]:
        is_flag = word.startswith("--")
        parts = _quoted_parts(word, room)
        if flag and not is_flag and len(f"{flag} {parts[0]}") <= room:
            parts[0] = f"{flag} {parts[0]}"
        elif flag:
            yield [flag]
        flag = word if is_flag else ""
        if not is_flag:
            yield parts


def _quoted_parts(word: str, room: int) -> list[str]:
    """`word` in quotes, in parts of at most `room` columns that end after a space or a comma."""
    if len(shlex.quote(word)) <= room:
        return [shlex.quote(word)]
    parts = [""]
    for piece in re.split("(?<=[ ,])", word):
        if parts[-1] and len(shlex.quote(parts[-1] + piece)) > room:
            parts.append("")
        parts[-1] += piece
    return [shlex.quote(part) for part in parts]


def tree(terminal: Terminal, files: Sequence[str], deepest: int = 2) -> list[str]:
    """The files as a tree; a folder with one entry joins it, and `deepest` levels are opened."""
    return list(_branches(terminal, [file.split("/") for file in files], "", deepest))


def _branches(
    terminal: Terminal, paths: Iterable[Sequence[str]], margin: str, levels: int
) -> Iterator[str]:
    groups: dict[str, list[Sequence[str]]] = {}
    for path in paths:
        groups.setdefault(path[0], []).append(path[1:])
    ordered = sorted(groups.items(), key=lambda item: (not item[1][0], item[0]))
    for number, (name, inner) in enumerate(ordered, 1):
        knee, line = _joint(terminal, last=number == len(ordered))
        while inner[0] and len({path[0] for path in inner}) == 1 and len(inner[0]) > 1:
            name, inner = f"{name}/{inner[0][0]}", [path[1:] for path in inner]
        if not inner[0]:
            yield f"{margin}{knee}{name}"
        elif levels == 1:
            count = f"({len(inner)} file{'s' if len(inner) > 1 else ''})"
            yield f"{margin}{knee}{name}/ {terminal.style(count, 'quiet')}"
        else:
            yield f"{margin}{knee}{name}/"
            yield from _branches(terminal, inner, margin + line, levels - 1)


def _joint(terminal: Terminal, last: bool) -> tuple[str, str]:
    if terminal.drawing:
        return ("└── ", "    ") if last else ("├── ", "│   ")
    return ("`-- ", "    ") if last else ("|-- ", "|   ")


def command_line(
    catalog: Catalog, complete: Mapping[str, Any], output: str | None, steps: Collection[str]
) -> str:
    """The command that makes this service again, and asks nothing."""
    examples = [q.id for q in catalog.fields if q.is_declared and complete[q.id] == q.default]
    given = {key: value for key, value in complete.items() if value and key not in examples}
    place = ["--output", output] if output else []
    left_out = [f"--no-{step}" for step in STEPS if step not in steps]
    words = [*answers.as_flags(given), *place, *left_out, "--defaults"]
    command = ["scaffold", "new", complete["name"], *words]
    return shlex.join(command)


def following(
    catalog: Catalog, first: Mapping[str, Any], other: Framework, output: str | None
) -> str:
    """The command that asks about the second service, beside the one with the answers `first`."""
    taken = answers.reserved_names(catalog, other.id)
    name = naming.suggest(f"{first['name']}-{other.id}", taken)
    shared = {key: first[key] for key in ("author", "database", "ci") if first.get(key)}
    given = {"framework": other.id, **shared}
    if catalog.refusal(given):
        given = {"framework": other.id}
    place = ["--output", output] if output else []
    return shlex.join(["scaffold", "new", name, *answers.as_flags(given), *place])
