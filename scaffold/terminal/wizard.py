"""Which questions are asked about a service, and in which order. It asks and decides nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from scaffold.advice.evidence import RankBy, Recommendation, recommend
from scaffold.advice.ranking import Advice, Ranked
from scaffold.answers import answers, naming
from scaffold.catalog.catalog import Catalog, Option, Question
from scaffold.catalog.record import RESOURCES
from scaffold.errors import BadAnswers, NoTemplate
from scaffold.escaping import quote
from scaffold.terminal import text_output
from scaffold.terminal.conversation import Conversation, Rejected
from scaffold.terminal.prompts import Choice, Heading
from scaffold.terminal.view import Terminal

OVERRIDE = "Press Enter to accept the recommendation, or choose another."
WHICH = Heading("Which framework do you want to use?", OVERRIDE)
FIRST = Heading(
    "Which one do you want to generate first?",
    "The workload needs the first two; the command for the other is printed at the end.",
)
DECLARE = (
    'Type one resource, such as "{}". The field types are {}. Press Enter to keep the example: {}'
)
MORE = Heading(
    "What else does it store?",
    "One resource per line; an existing name replaces that resource. Press Enter to finish.",
    empty="(nothing else)",
)


@dataclass(frozen=True)
class Wizard:
    """Asks by `conversation`, with text that is wrapped for `view`.

    `refusal` tells why a service of that name cannot be written where it should go, if it cannot.
    """

    catalog: Catalog
    conversation: Conversation
    view: Terminal
    refusal: Callable[[str], str | None]

    def workload(self, given: Mapping[str, str]) -> dict[str, str]:
        """An answer to each workload question; only those that are not `given` are asked."""
        return self.conversation.run(partial(self._workload, given))

    def everything(
        self, given: Mapping[str, Any], maintained: bool, rank_by: RankBy = RankBy.ARTICLE
    ) -> dict[str, Any]:
        """Answers to the questions of copier.yml, and to those about the workload that were asked.

        The workload is asked only if no framework is given.
        """
        return self.conversation.run(partial(self._everything, given, maintained, rank_by))

    def answers_to(self, questions: Sequence[Question], kept: Mapping[str, Any]) -> dict[str, Any]:
        """What the person answers to `questions`, which are new to a service with those `kept`."""
        return self.conversation.run(partial(self._answers_to, questions, kept))

    def _workload(self, given: Mapping[str, str]) -> dict[str, str]:
        places = _places(q for q in self.catalog.workload if q.id not in given)
        return {
            q.id: given.get(q.id) or self._choose(q, places[q.id]) for q in self.catalog.workload
        }

    def _everything(
        self, given: Mapping[str, Any], maintained: bool, rank_by: RankBy
    ) -> dict[str, Any]:
        self._say_hint()
        result = dict(given)
        result["name"] = self._name(given.get("name"), given.get("framework"))
        if "framework" not in given:
            result |= self._workload(given)
            recommendation = recommend(self.catalog, result, maintained, rank_by)
            result["framework"] = self._framework(recommendation, given)
            result["name"] = self._name(result["name"], result["framework"])
        missing = [question for question in self.catalog.fields if question.id not in result]
        return result | self._answers(missing, result)

    def _answers_to(self, questions: Sequence[Question], kept: Mapping[str, Any]) -> dict[str, Any]:
        if questions:
            self._say_hint()
        return self._answers(questions, kept)

    def _say_hint(self) -> None:
        hint = "\n".join(self.view.wrapped(self.conversation.hint))
        self.conversation.say(self.view.style(hint, "quiet"))

    def _answers(self, questions: Sequence[Question], given: Mapping[str, Any]) -> dict[str, Any]:
        """An answer to each, one that can be combined with those before it."""
        places = _places(questions)
        result: dict[str, Any] = {}
        for question in questions:
            result[question.id] = self._answer(question, places[question.id], {**given, **result})
        return result

    def _name(self, name: str | None, framework: str | None) -> str:
        """`name`, asked for until it would work."""
        reserved = answers.reserved_names(self.catalog, framework)

        def judge(name: str) -> str:
            if why := naming.rule_broken(name, reserved) or self.refusal(name):
                text = f"{quote(name)} is not available: {why}."
                raise Rejected(self.view.warning(text), naming.suggest(name, reserved))
            return ""

        typed = ""
        if name is not None:
            try:
                judge(name)
            except Rejected as problem:
                self.conversation.say(str(problem))
                typed = problem.typed
            else:
                return name
        return self.conversation.write(_heading(self.catalog.question("name")), typed, judge)

    def _framework(self, recommendation: Recommendation, given: Mapping[str, str]) -> str:
        advice = recommendation.advice
        shown = text_output.recommendation(self.view, self.catalog, recommendation)
        self.conversation.say(f"\n{shown}\n")
        ids = [framework.id for framework in advice.split]
        parts = sorted(
            (one for one in advice.ranking if one.framework.id in ids),
            key=lambda one: ids.index(one.framework.id),
        )
        offered = [*parts, *(one for one in advice.ranking if one not in parts)]
        usable = [r for r in offered if not self._why_disabled(r, given)]
        if not usable:
            raise self._nothing_usable(offered, given)
        best = offered[0]
        if not best.framework.has_template:
            self._warn(answers.instead(self.catalog, best, usable[0]))
        heading = FIRST if advice.split else WHICH
        choices = self._ranked_choices(advice, offered, given)
        return self.conversation.choose(heading, choices, usable[0].framework.id)

    def _ranked_choices(
        self, advice: Advice, offered: Sequence[Ranked], given: Mapping[str, str]
    ) -> list[Choice]:
        widest = max(len(ranked.framework.name) for ranked in offered)
        scaled = partial(text_output.scaled, self.view, widest=widest)
        return [
            Choice(
                ranked.framework.id,
                f"{scaled(ranked)}  {text_output.remark(self.catalog, advice, ranked)}".rstrip(),
                about=text_output.about(self.catalog, ranked.framework),
                answer=ranked.framework.name,
                disabled=self._why_disabled(ranked, given),
            )
            for ranked in offered
        ]

    def _why_disabled(self, ranked: Ranked, given: Mapping[str, str]) -> str | None:
        """Why the framework cannot be chosen with what is `given`."""
        if not ranked.framework.has_template:
            return "no template yet"
        refusal = self.catalog.refusal({**given, "framework": ranked.framework.id})
        if refusal:
            return refusal.why
        return (
            "it already uses the name of one of these resources"
            if self._clashes(ranked, given)
            else None
        )

    def _clashes(self, ranked: Ranked, given: Mapping[str, Any]) -> bool:
        """Whether the framework uses a name that is declared already."""
        if RESOURCES not in given:
            return False
        from scaffold.answers import declarations

        reserved = answers.names_of_resources(self.catalog, ranked.framework.id)
        try:
            declarations.check(given[RESOURCES], reserved)
        except BadAnswers:
            return True
        return False

    def _nothing_usable(self, offered: Sequence[Ranked], given: Mapping[str, str]) -> BadAnswers:
        for ranked in offered:
            if refusal := self.catalog.refusal({**given, "framework": ranked.framework.id}):
                return BadAnswers(str(refusal))
        return NoTemplate(" ".join(answers.without_template(r.framework) for r in offered))

    def _answer(self, question: Question, place: str, given: Mapping[str, Any]) -> Any:
        if question.multiple:
            return self._choose_several(question, place, given)
        if question.options:
            return self._choose(question, place, given)
        if question.is_declared:
            return self._resources(question, place, given["framework"])

        def judge(text: str) -> str:
            if why := answers.text_problem(text):
                raise Rejected(self.view.warning(f"That is not valid: {why}."))
            return ""

        return self.conversation.write(_heading(question, place), judge=judge)

    def _resources(self, question: Question, place: str, framework: str) -> list[dict[str, Any]]:
        """What is declared line by line, each judged at once; the default for Enter alone."""
        from scaffold.answers import declarations
        from scaffold.resources.field_types import TYPES
        from scaffold.resources.problems import listed
        from scaffold.resources.short_form import EXAMPLE
        from scaffold.terminal import understood

        example = "; ".join(declarations.in_short(question.default))
        explain = DECLARE.format(EXAMPLE, listed(TYPES, "and"), example)
        heading = Heading(question.ask, explain, place, empty="(the example)")
        draft = declarations.Draft(answers.names_of_resources(self.catalog, framework))

        def judge(text: str) -> str:
            try:
                if text:
                    return understood.table(self.view, draft.add(text))
                if draft.names:
                    draft.finish()
            except BadAnswers as problem:
                edited = (text or draft.incomplete) if self.conversation.edits else ""
                raise Rejected(self.view.warning(str(problem)), edited) from problem
            return ""

        while self.conversation.write(MORE if draft.names else heading, judge=judge):
            pass
        return draft.finish() if draft.names else [*question.default]

    def _choose(
        self, question: Question, place: str, given: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """An answer that can be combined with those that are `given`."""
        by_workload = question in self.catalog.workload
        choices = []
        for option in question.options:
            refusal = self.catalog.refusal({**given, question.id: option.id})
            about = self._looks_for(option) if by_workload else ""
            why = refusal.why if refusal else None
            choices.append(Choice(option.id, option.label, about=about, disabled=why))
        free = [choice.id for choice in choices if not choice.disabled]
        default = question.default if question.default in free else free[0]
        return self.conversation.choose(_heading(question, place), choices, default)

    def _choose_several(
        self, question: Question, place: str, given: Mapping[str, Any]
    ) -> list[str]:
        """Any number of answers, each of which can be combined with those that are `given`."""
        choices = []
        for option in question.options:
            refusal = self.catalog.refusal({**given, question.id: [option.id]})
            short = option.label.partition(":")[0]
            why = refusal.why if refusal else None
            choices.append(Choice(option.id, option.label, answer=short, disabled=why))
        return self.conversation.choose_several(_heading(question, place), choices)

    def _looks_for(self, option: Option) -> str:
        """What this answer does to the recommendation, in the words of the criteria."""
        if not option.weights:
            return "Does not affect the recommendation."
        heaviest = sorted(option.weights, key=lambda one: -option.weights[one])
        words = self.catalog.criteria
        required = f"Required: {words[option.must]}. " if option.must else ""
        preferred = "; ".join(words[one] for one in heaviest if one != option.must)
        return f"{required}Preferred: {preferred}." if preferred else required.strip()

    def _warn(self, text: str) -> None:
        self.conversation.say(self.view.warning(text))


def _heading(question: Question, place: str = "") -> Heading:
    return Heading(question.ask, question.explain, place)


def _places(asked: Iterable[Question]) -> dict[str, str]:
    """Which of those that are asked each one is."""
    ids = [question.id for question in asked]
    return {id_: f"{number} of {len(ids)}" for number, id_ in enumerate(ids, 1)}
