"""The conversation: which questions, in which order. It asks and decides nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from scaffold.advice.evidence import RankBy, Recommendation, recommend
from scaffold.advice.ranking import Ranked
from scaffold.answers import answers, naming
from scaffold.catalog.catalog import Catalog, Option, Question
from scaffold.catalog.record import RESOURCES
from scaffold.errors import BadAnswers, NoTemplate
from scaffold.escaping import quote
from scaffold.terminal import text_output
from scaffold.terminal.prompts import Choice, Heading, Prompter
from scaffold.terminal.view import Terminal

OVERRIDE = "Enter follows the advice, a number overrides it."
WHICH = Heading("Which framework is it?", OVERRIDE)
FIRST = Heading("Which of the two is made first?", OVERRIDE)
DECLARE = 'Type one resource, such as "{}". Press Enter to keep the example: {}'
MORE = Heading(
    "What else does it keep?",
    "One resource a line; a name that is there already replaces it. Enter ends the list.",
    empty="(nothing else)",
)


@dataclass(frozen=True)
class Wizard:
    """`say` shows text to the person, wrapped for `view`.

    `refusal` tells why a service of that name cannot be written where it should go, if it cannot.
    """

    catalog: Catalog
    prompter: Prompter
    say: Callable[[str], None]
    view: Terminal
    refusal: Callable[[str], str | None]

    def workload(self, given: Mapping[str, str]) -> dict[str, str]:
        """An answer to each workload question; only those that are not `given` are asked."""
        places = _places(q for q in self.catalog.workload if q.id not in given)
        return {
            q.id: given.get(q.id) or self._choose(q, places[q.id]) for q in self.catalog.workload
        }

    def everything(
        self, given: Mapping[str, Any], maintained: bool, rank_by: RankBy = RankBy.ARTICLE
    ) -> dict[str, Any]:
        """Answers to the questions of copier.yml, with the workload asked where it is needed."""
        self.say(self.view.style("\n".join(self.view.wrapped(self.prompter.hint)), "quiet"))
        result = dict(given)
        result["name"] = self._name(given.get("name"), given.get("framework"))
        if "framework" not in given:
            answered = {**given, **self.workload(given)}
            recommendation = recommend(self.catalog, answered, maintained, rank_by)
            result["framework"] = self._framework(recommendation, given)
            result["name"] = self._name(result["name"], result["framework"])
        missing = [question for question in self.catalog.fields if question.id not in result]
        return result | self._answers(missing, result)

    def answers_to(self, questions: Sequence[Question], kept: Mapping[str, Any]) -> dict[str, Any]:
        """What the person answers to `questions`, which are new to a service with those `kept`."""
        if questions:
            self.say(self.view.style("\n".join(self.view.wrapped(self.prompter.hint)), "quiet"))
        return self._answers(questions, kept)

    def _answers(self, questions: Sequence[Question], given: Mapping[str, Any]) -> dict[str, Any]:
        """An answer to each, one that goes together with those before it."""
        places = _places(questions)
        result: dict[str, Any] = {}
        for question in questions:
            result[question.id] = self._answer(question, places[question.id], {**given, **result})
        return result

    def _name(self, name: str | None, framework: str | None) -> str:
        """`name`, asked for until it would work."""
        reserved = answers.reserved_names(self.catalog, framework)
        heading = _heading(self.catalog.question("name"))
        if name is None:
            name = self.prompter.write(heading)
        while why := naming.rule_broken(name, reserved) or self.refusal(name):
            better = naming.suggest(name, reserved)
            self.say(self._warning(f"{quote(name)} would not work: {why}."))
            name = self.prompter.write(heading, better)
        return name

    def _framework(self, recommendation: Recommendation, given: Mapping[str, str]) -> str:
        advice = recommendation.advice
        self.say("\n" + text_output.recommendation(self.view, self.catalog, recommendation) + "\n")
        offered = [r for r in advice.ranking if not advice.split or r.framework in advice.split]
        usable = [r for r in offered if not self._why_disabled(r, given)]
        if not usable:
            raise self._nothing_usable(offered, given)
        best = offered[0]
        if not best.framework.has_template:
            self.say(self._warning(answers.instead(self.catalog, best, usable[0])))
        heading = FIRST if advice.split else WHICH
        choices = self._ranked_choices(offered, given)
        return self.prompter.choose(heading, choices, usable[0].framework.id)

    def _ranked_choices(self, offered: Sequence[Ranked], given: Mapping[str, str]) -> list[Choice]:
        widest = max(len(ranked.framework.name) for ranked in offered)
        scaled = partial(text_output.scaled, self.view, widest=widest)
        return [
            Choice(
                ranked.framework.id,
                f"{scaled(ranked)}  {text_output.remark(ranked)}".rstrip(),
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
        return "it uses a name of these resources" if self._clashes(ranked, given) else None

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
        heading = _heading(question, place)
        text = self.prompter.write(heading)
        while why := answers.text_problem(text):
            self.say(self._warning(f"That would not work: {why}."))
            text = self.prompter.write(heading)
        return text

    def _resources(self, question: Question, place: str, framework: str) -> list[dict[str, Any]]:
        """What is declared line by line, each judged at once; the default for Enter alone."""
        from scaffold.answers import declarations
        from scaffold.resources.short_form import EXAMPLE
        from scaffold.terminal import understood

        example = "; ".join(declarations.in_short(question.default))
        explain = DECLARE.format(EXAMPLE, example)
        heading = Heading(question.ask, explain, place, empty="(the example)")
        draft = declarations.Draft(answers.names_of_resources(self.catalog, framework))
        typed = ""
        while True:
            text = self.prompter.write(MORE if draft.names else heading, typed)
            try:
                if text:
                    self.say(understood.table(self.view, draft.add(text)))
                    typed = ""
                else:
                    return draft.finish() if draft.names else [*question.default]
            except BadAnswers as problem:
                for line in str(problem).splitlines():
                    self.say(self._warning(line))
                typed = (text or draft.incomplete) if self.prompter.edits else ""

    def _choose(
        self, question: Question, place: str, given: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """An answer that goes together with those that are `given`."""
        by_workload = question in self.catalog.workload
        choices = []
        for option in question.options:
            refusal = self.catalog.refusal({**given, question.id: option.id})
            about = self._looks_for(option) if by_workload else ""
            why = refusal.why if refusal else None
            choices.append(Choice(option.id, option.label, about=about, disabled=why))
        free = [choice.id for choice in choices if not choice.disabled]
        default = question.default if question.default in free else free[0]
        return self.prompter.choose(_heading(question, place), choices, default)

    def _choose_several(
        self, question: Question, place: str, given: Mapping[str, Any]
    ) -> list[str]:
        """Any number of answers, each of which goes together with those that are `given`."""
        choices = []
        for option in question.options:
            refusal = self.catalog.refusal({**given, question.id: [option.id]})
            short = option.label.partition(":")[0]
            why = refusal.why if refusal else None
            choices.append(Choice(option.id, option.label, answer=short, disabled=why))
        return self.prompter.choose_several(_heading(question, place), choices)

    def _looks_for(self, option: Option) -> str:
        """What this answer makes of the advice, in the words of the criteria."""
        if not option.weights:
            return "No preference."
        heaviest = sorted(
            option.weights, key=lambda one: (one != option.must, -option.weights[one])
        )
        words = (self.catalog.criteria[criterion] for criterion in heaviest)
        must = {self.catalog.criteria[option.must]: " (required)"} if option.must else {}
        return f"Looks for {', '.join(word + must.get(word, '') for word in words)}."

    def _warning(self, text: str) -> str:
        return self.view.style("\n".join(self.view.wrapped(text)), "warn")


def _heading(question: Question, place: str = "") -> Heading:
    return Heading(question.ask, question.explain, place)


def _places(asked: Iterable[Question]) -> dict[str, str]:
    """Which of those that are asked each one is."""
    ids = [question.id for question in asked]
    return {id_: f"{number} of {len(ids)}" for number, id_ in enumerate(ids, 1)}
