"""The conversation: which questions, in which order. It asks and decides nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scaffold import answers, naming, screen
from scaffold.advice import Advice, advise
from scaffold.catalog import Catalog, Framework, Question
from scaffold.errors import NoTemplate
from scaffold.prompts import Asker, Choice, Heading

NAME = Heading("What is the service called?", "Lower-case letters, digits and dashes, like my-svc.")


@dataclass(frozen=True)
class Wizard:
    """`say` shows text to the person, wrapped for `view`."""

    catalog: Catalog
    asker: Asker
    say: Callable[[str], None]
    view: screen.Screen

    def workload(self, given: Mapping[str, str]) -> dict[str, str]:
        """An answer to each workload question; only those that are not `given` are asked."""
        return {q.id: given.get(q.id) or self._choose(q) for q in self.catalog.workload}

    def everything(self, given: Mapping[str, str], maintained: bool) -> dict[str, str]:
        """Answers to the questions of copier.yml, with the workload asked where it is needed."""
        result = dict(given)
        result["name"] = self._name(given.get("name"), given.get("framework"))
        if "framework" not in given:
            advice = advise(self.catalog, self.workload(given), maintained)
            result["framework"] = self._framework(advice)
            result["name"] = self._name(result["name"], result["framework"])
        for question in self.catalog.fields:
            if question.id not in result:
                result[question.id] = self._answer(question)
        return result

    def _name(self, name: str | None, framework: str | None) -> str:
        """`name`, asked for until it would work."""
        taken = answers.taken_names(self.catalog, framework)
        if name is None:
            name = self.asker.write(NAME)
        while why := naming.rule_broken(name, taken):
            better = naming.nearest(name, taken)
            self.say(self._warning(f"{naming.shown(name)} would not work: {why}."))
            name = self.asker.write(NAME, better)
        return name

    def _framework(self, advice: Advice) -> str:
        self.say("\n" + screen.advice(self.view, self.catalog, advice) + "\n")
        offered = advice.split or tuple(ranked.framework for ranked in advice.ranking)
        ask = "Which one is made first?" if advice.split else "Which one is it?"
        usable = [framework for framework in offered if framework.has_template]
        if not usable:
            raise NoTemplate(" ".join(answers.without_template(f) for f in offered))
        if usable[0] is not offered[0]:
            self.say(self._warning(self._instead(offered[0], usable[0])))
        choices = [_framework_choice(framework) for framework in offered]
        return self.asker.choose(
            Heading(ask, "Enter takes the one that is marked."), choices, usable[0].id
        )

    def _instead(self, best: Framework, usable: Framework) -> str:
        return f"{answers.without_template(best)} The best that has one is {usable.name}."

    def _answer(self, question: Question) -> str:
        if question.options:
            return self._choose(question)
        heading = Heading(question.ask, question.explain)
        text = self.asker.write(heading)
        while why := answers.text_problem(text):
            self.say(self._warning(f"That would not work: {why}."))
            text = self.asker.write(heading)
        return text

    def _choose(self, question: Question) -> str:
        choices = [Choice(option.id, option.label) for option in question.options]
        heading = Heading(question.ask, question.explain)
        return self.asker.choose(heading, choices, question.default or choices[0].id)

    def _warning(self, text: str) -> str:
        return self.view.style("\n".join(self.view.wrapped(text)), "warn")


def _framework_choice(framework: Framework) -> Choice:
    label = f"{framework.name}: {framework.summary}"
    return Choice(framework.id, label, None if framework.has_template else "no template yet")
