"""From what was given (flags, a file, the wizard) to answers that are complete and would work."""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffold import documents
from scaffold.advice import ranking
from scaffold.advice.evidence import RankBy, recommend
from scaffold.advice.ranking import Advice, Ranked
from scaffold.answers import naming
from scaffold.catalog.catalog import Catalog, Framework, Question
from scaffold.catalog.record import BORN_WITH, DATA, RESOURCES, RETIRED
from scaffold.errors import (
    BadAnswers,
    BadAnswersFile,
    BadName,
    MissingAnswers,
    NoTemplate,
    SplitWorkload,
)
from scaffold.escaping import quote, quote_path

if TYPE_CHECKING:
    from scaffold.resources.names import Reserved

MAX_TEXT_LENGTH = 200
MAX_PROBLEMS = 20  # listed at once
# What the record of a service has beside the answers: harmless to hand back.
RECORD_KEYS = ("_commit", "_src_path", BORN_WITH, RETIRED)
# Controls, surrogates, line and paragraph separators, private use; and format characters, which
# are invisible and can reorder a line, but for the joiners and tags that emoji and scripts need.
REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp", "Co", "Cf"}
# Format characters by one version of Unicode, unassigned by another that some Python has.
NEW_FORMATS = range(0x13430, 0x13440)
JOINERS = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}


def collect(catalog: Catalog, file: Path | None, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of a YAML or JSON file and of the flags, which take precedence, all checked.

    Declarations of `--resource` replace those of the file together. Raises BadAnswers with every
    problem of both at once.
    """
    given, problems = _read(catalog, file) if file is not None else ({}, [])
    texts = flags.get(RESOURCES) or ()
    words = {key: value for key, value in flags.items() if key != RESOURCES and _is_given(value)}
    given |= {
        key: [*map(_as_typed, value)] if isinstance(value, list) else _as_typed(value)
        for key, value in words.items()
    }
    if texts:
        given[RESOURCES] = tuple(map(_as_typed, texts))
    problems += _declare(given, file)
    _raise([*problems, *_problems(catalog, given)])
    several = {q.id: choices_in(q, given[q.id]) for q in catalog.fields if _is_several(q, given)}
    return given | several


def _is_given(value: Any) -> bool:
    """Whether a flag was said; one that may be repeated is an empty list otherwise."""
    return value is not None and value != []


def _is_several(question: Question, given: Mapping[str, Any]) -> bool:
    return question.multiple and given.get(question.id) is not None


def _declare(given: dict[str, Any], file: Path | None) -> Iterator[BadAnswers]:
    """Brings what declares the resources into one form; leaves it out where it has none.

    A tuple has the texts of flags, all else is what the file has.
    """
    if RESOURCES not in given:
        return
    from scaffold.answers import declarations

    stated = given.pop(RESOURCES)
    by_flags = isinstance(stated, tuple)
    try:
        given[RESOURCES] = (declarations.typed if by_flags else declarations.loaded)(stated)
    except BadAnswers as problem:
        if by_flags or file is None:
            yield problem
        else:
            lines = str(problem).splitlines()
            yield from (BadAnswersFile(f"{quote_path(file)}: {line}") for line in lines)


def _as_typed(value: str) -> str:
    """A flag's value in UTF-8, whatever the locale made of it: Python marks what it cannot read."""
    try:
        return os.fsencode(value).decode("utf-8")
    except UnicodeError:
        return value


def _read(catalog: Catalog, path: Path) -> tuple[dict[str, Any], list[BadAnswers]]:
    """The answers in a file, and what is wrong with the others. Raises BadAnswersFile."""
    source = quote_path(path)
    try:
        with path.open("rb") as file:
            content = file.read(documents.LARGEST + 1)
    except OSError as error:
        raise BadAnswersFile(f"{source} cannot be read: {error.strerror}.") from error
    found, wrong = documents.answers_in(content, source, data=DATA)
    questions = [q.id for q in (*catalog.fields, *catalog.workload)]
    unknown = [key for key in found if key not in (*questions, *RECORD_KEYS)]
    wrong += [_unknown(key, questions) for key in unknown]
    given = {key: value for key, value in found.items() if key in questions}
    return given, [BadAnswersFile(f"{source}: {problem}") for problem in wrong]


def _unknown(key: str, questions: list[str]) -> str:
    alike = get_close_matches(key, questions, n=1)
    hint = f"Did you mean {quote(alike[0])}?" if alike else f"Choose from {', '.join(questions)}."
    return f"unknown question {quote(key)}. {hint}"


def check(catalog: Catalog, given: Mapping[str, Any]) -> None:
    """Raises BadAnswers with every problem of `given` at once, a line for each.

    A name that breaks a rule is a BadName if that is the only problem.
    """
    _raise(list(_problems(catalog, given)))


def _raise(problems: Sequence[BadAnswers]) -> None:
    """Raises the one problem there is, or all in one: of their kind where they are of one kind."""
    if not problems:
        return
    if len(problems) == 1:
        raise problems[0]
    lines = [str(problem) for problem in problems[:MAX_PROBLEMS]]
    if more := len(problems) - len(lines):
        lines.append(f"And {more} more problem{'s' if more > 1 else ''}.")
    kinds = {type(problem) for problem in problems}
    raise (kinds.pop() if len(kinds) == 1 else BadAnswers)("\n".join(lines))


def _problems(catalog: Catalog, given: Mapping[str, Any]) -> Iterator[BadAnswers]:
    for question in (*catalog.fields, *catalog.workload):
        value = given.get(question.id)
        if value is None:
            continue
        if question.id == "name":
            yield from _name_problems(value, reserved_names(catalog, given.get("framework")))
        elif question.id == "framework":
            yield from _framework_problems(catalog, value)
        elif question.is_declared:
            yield from _resource_problems(catalog, value, given.get("framework"))
        elif question.multiple:
            yield from _several_problems(question, value)
        elif question.options:
            yield from _choice_problems(question, value)
        elif why := text_problem(value):
            yield BadAnswers(f"{quote(value)} is not a valid {question.id}: {why}.")
    if refusal := catalog.refusal(given):
        yield BadAnswers(str(refusal))


def reserved_names(catalog: Catalog, framework_id: str | None) -> frozenset[str]:
    """The names that the environment of a service uses; every framework's common part if None."""
    chosen = [f for f in catalog.frameworks if f.id == framework_id] or catalog.frameworks
    return frozenset.intersection(*(framework.reserved for framework in chosen))


def _resource_problems(
    catalog: Catalog, declared: object, framework_id: str | None
) -> Iterator[BadAnswers]:
    from scaffold.answers import declarations

    try:
        declarations.check(declared, names_of_resources(catalog, framework_id))
    except BadAnswers as problem:
        yield problem


def names_of_resources(catalog: Catalog, framework_id: str | None) -> "Reserved":
    """The names that resources cannot have in a service; what every framework uses if None."""
    from scaffold.answers import declarations

    chosen = (one.id for one in catalog.frameworks if one.id == framework_id)
    return declarations.reserved(catalog.root, chosen)


def _name_problems(name: str, reserved: frozenset[str]) -> Iterator[BadAnswers]:
    try:
        naming.check_name(name, reserved)
    except BadName as problem:
        yield problem


def _framework_problems(catalog: Catalog, value: str) -> Iterator[BadAnswers]:
    try:
        framework = framework_called(catalog, value)
    except BadAnswers as problem:
        yield problem
    else:
        if not framework.has_template:
            having = ", ".join(f.id for f in catalog.frameworks if f.has_template) or "none"
            yield NoTemplate(f"{without_template(framework)} Available: {having}.")


def framework_called(catalog: Catalog, framework_id: str) -> Framework:
    """Raises BadAnswers where there is none, with the one that may be meant."""
    known = [framework.id for framework in catalog.frameworks]
    if framework_id not in known:
        raise BadAnswers(_no_choice("framework", framework_id, known))
    return catalog.framework(framework_id)


def without_template(framework: Framework) -> str:
    return f"{framework.name} has no template yet."


def _choice_problems(question: Question, value: str) -> Iterator[BadAnswers]:
    if value not in question.choices:
        yield BadAnswers(_no_choice(question.id, value, question.choices))


def _several_problems(question: Question, value: object) -> Iterator[BadAnswers]:
    try:
        choices_in(question, value)
    except BadAnswers as problem:
        yield problem


def choices_in(question: Question, value: object) -> list[str]:
    """The choices that text with commas names, or a list of such texts, in the question's order.

    Raises BadAnswers, naming each that is none.
    """
    texts: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(text, str) for text in texts):
        example = ", ".join(question.choices)
        raise BadAnswers(f"{question.id} must be a list of any of these: {example}.")
    named = {word.strip() for text in texts for word in text.split(",")} - {""}
    if unknown := sorted(named.difference(question.choices)):
        raise BadAnswers("\n".join(_no_choice(question.id, w, question.choices) for w in unknown))
    return [choice for choice in question.choices if choice in named]


def _no_choice(question_id: str, value: str, choices: Iterable[str]) -> str:
    choices = list(choices)
    alike = get_close_matches(value, choices, n=1)
    hint = f" Did you mean {quote(alike[0])}?" if alike else ""
    wrong = f"{quote(value)} is not a valid answer to {question_id}."
    return f"{wrong} Choose from {', '.join(choices)}.{hint}"


def text_problem(value: str) -> str | None:
    """Why free text is refused, as the end of a sentence; None if it is fine."""
    if len(value) > MAX_TEXT_LENGTH:
        return f"it is longer than {MAX_TEXT_LENGTH} characters"
    bad = next((c for c in value if not _printable(c)), None)
    return f"it contains the unprintable character U+{ord(bad):04X}" if bad else None


def _printable(character: str) -> bool:
    number = ord(character)
    if number & 0xFFFE == 0xFFFE or 0xFDD0 <= number <= 0xFDEF or number in NEW_FORMATS:
        return False
    import unicodedata  # a large table, which few commands need

    category = unicodedata.category(character)
    return category not in REFUSED_CATEGORIES or character in JOINERS


def resolve(
    catalog: Catalog,
    given: Mapping[str, Any],
    defaults: bool,
    maintained: bool,
    rank_by: RankBy = RankBy.ARTICLE,
) -> dict[str, Any]:
    """`given` and a framework for it, where nobody can be asked.

    The framework is the given one, or the best for the given workload; the workload's own
    defaults count only when `defaults` says so. Raises MissingAnswers, SplitWorkload, NoTemplate,
    and NotMeasured where `rank_by` asks for figures that are not there.
    """
    decided = defaults or any(
        q.id in given for q in (catalog.question("framework"), *catalog.workload)
    )
    missing = [
        word
        for word, absent in (("name", "name" not in given), ("framework", not decided))
        if absent
    ]
    if missing:
        raise MissingAnswers(_what_would_work(missing, given))
    if "framework" in given:
        return dict(given)
    advice = recommend(catalog, weighed(catalog, given, defaults), maintained, rank_by).advice
    return {**given, "framework": _best(catalog, advice, given["name"]).id}


def other_half(
    catalog: Catalog, chosen: Mapping[str, Any], maintained: bool, rank_by: RankBy
) -> Framework | None:
    """The framework of the second service that a workload needs, if the first one is `chosen`."""
    split = recommend(catalog, chosen, maintained, rank_by).advice.split
    others = [framework for framework in split if framework.id != chosen["framework"]]
    return others[0] if len(others) < len(split) and others[0].has_template else None


def weighed(catalog: Catalog, given: Mapping[str, Any], defaults: bool) -> dict[str, Any]:
    """What a ranking goes by: what is `given`, and the workload's defaults if they are taken."""
    return {**ranking.defaults(catalog), **given} if defaults else dict(given)


def as_flags(given: Mapping[str, Any]) -> list[str]:
    """The options of `new` that give these answers, but for the name, which is no option."""
    texts = {key: value for key, value in given.items() if key not in ("name", RESOURCES)}
    lists = {key: ",".join(value) for key, value in texts.items() if isinstance(value, list)}
    words = [word for key, value in (texts | lists).items() for word in (f"--{key}", value)]
    if RESOURCES not in given:
        return words
    from scaffold.answers import declarations

    declared = declarations.in_short(given[RESOURCES])
    return [*words, *(word for text in declared for word in ("--resource", text))]


def _what_would_work(missing: list[str], given: Mapping[str, Any]) -> str:
    flags = as_flags(given)
    flags += ["--defaults"] if "framework" in missing else []
    command = shlex.join(["scaffold", "new", given.get("name", "my-svc"), *flags])
    absent = " and ".join(missing)
    ways = "pass --framework, or a workload flag such as --talk to have one chosen"
    hint = f" ({ways})" if "framework" in missing else ""
    return f"Cannot prompt here; missing: {absent}{hint}. Try: {command}"


def _best(catalog: Catalog, advice: Advice, name: str) -> Framework:
    if advice.split:
        names = " and ".join(framework.name for framework in advice.split)
        flags = " or ".join(f"--framework {framework.id}" for framework in advice.split)
        raise SplitWorkload(f"This workload needs two services, {names}. Choose one: {flags}.")
    best = advice.ranking[0]
    usable = next((ranked for ranked in advice.ranking if ranked.framework.has_template), None)
    if not usable:
        raise NoTemplate(without_template(best.framework))
    if usable is best:
        return best.framework
    command = f"scaffold new {name} --framework {usable.framework.id}"
    raise NoTemplate(f"{instead(catalog, best, usable)} To generate that: {command}")


def instead(catalog: Catalog, best: Ranked, usable: Ranked) -> str:
    """That the best framework has no template, and which one to take, with what that one lacks."""
    lacking = " or ".join(catalog.criteria[must] for must in usable.unmet)
    but = f", though it is not designed for {lacking}" if lacking else ""
    return (
        f"{without_template(best.framework)} The next best match is {usable.framework.name}{but}."
    )


def carry_over(
    questions: Iterable[Question], recorded: Mapping[str, Any], given: Mapping[str, str]
) -> tuple[dict[str, Any], list[Question]]:
    """The answers of a service to the `questions` of another release, and the questions left open.

    What was `recorded` counts where nothing is `given`. A service that records no resources was
    made with the example, and what it does not record of several answers it does not have. Raises
    BadAnswers, naming every recorded answer that is none any more.
    """
    questions = list(questions)
    made = {q.id: q.default for q in questions if q.is_declared} | dict(recorded)
    kept = {q.id: made[q.id] for q in questions if q.id in made}
    lost = [
        f"{_no_choice(q.id, answer, q.choices)} Pass --{q.id} with a valid one."
        for q in questions
        if q.options and q.id in kept and q.id not in given
        for answer in (kept[q.id] if isinstance(kept[q.id], list) else [kept[q.id]])
        if answer not in q.choices
    ]
    if lost:
        raise BadAnswers(
            "\n".join(f"Since the service was generated: {problem}" for problem in lost)
        )
    known = {q.id: q for q in questions}
    beside = {key: recorded[key] for key in (BORN_WITH, RETIRED) if key in recorded}
    new = {key: value for key, value in given.items() if key in known}
    lists = {
        key: choices_in(known[key], value) for key, value in new.items() if known[key].multiple
    }
    answered = kept | new | lists | beside
    return answered, [q for q in questions if q.id not in answered and not q.multiple]


def defaults_of(questions: Iterable[Question]) -> dict[str, Any]:
    """The default of each. Raises MissingAnswers, naming those that have none."""
    questions = list(questions)
    if missing := [f"--{q.id}" for q in questions if q.default is None]:
        raise MissingAnswers(
            f"Cannot prompt here; the templates have a new question: {', '.join(missing)}"
        )
    return {q.id: q.default for q in questions}


def complete(catalog: Catalog, given: Mapping[str, Any]) -> dict[str, Any]:
    """An answer to every question of copier.yml, each checked, in its order.

    Resources are brought into the one form that templates read.

    Raises BadAnswers, and KeyError where a question without a default is not in `given`.
    """
    check(catalog, given)
    values = {q.id: _value(q, given) for q in catalog.fields}
    refuse_together(catalog, values)
    return values


def refuse_kept(root: Path, values: Mapping[str, Any]) -> None:
    """Raises BadAnswers where the templates in `root` do not take the resources of a service."""
    if RESOURCES not in values:
        return
    from scaffold.answers import declarations

    try:
        reserved = declarations.reserved(root, [values["framework"]])
        declarations.check(values[RESOURCES], reserved)
    except BadAnswers as problem:
        lines = (f"Since the service was generated: {line}" for line in str(problem).splitlines())
        raise BadAnswers("\n".join(lines)) from problem


def refuse_together(catalog: Catalog, values: Mapping[str, Any]) -> None:
    """Raises BadAnswers where `values` cannot be had together."""
    if refusal := catalog.refusal(values):
        raise BadAnswers(str(refusal))


def _value(question: Question, given: Mapping[str, Any]) -> Any:
    value = given.get(question.id, question.default)
    if value is None:
        raise KeyError(question.id)
    if question.multiple:
        return choices_in(question, value)
    if not question.is_declared:
        return value.strip()
    if question.id not in given:
        return value
    from scaffold.answers import declarations

    return declarations.loaded(value)
