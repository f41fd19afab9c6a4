"""Ask for what a command that changes the resources of a service was not told."""

from collections.abc import Callable, Mapping

from scaffold.errors import BadAnswers
from scaffold.growing.changes import Resources
from scaffold.resources.short_form import EXAMPLE
from scaffold.terminal.prompts import Choice, Heading, Prompter
from scaffold.terminal.view import Terminal

NAME, FIELD_NAME, DECLARATION = "name", "field_name", "declaration"
NEW_RESOURCE = Heading("What is the new resource?", f"Its name and its fields, like: {EXAMPLE}")
NEW_FIELD = Heading("What is the new field?", "Its name and its type, like: vip:bool:default=false")


class Questions:
    """The questions about a service that has `resources`.

    `judge` raises BadAnswers for answers that cannot be carried out.
    """

    def __init__(
        self,
        prompter: Prompter,
        say: Callable[[str], None],
        view: Terminal,
        resources: Resources,
        judge: Callable[[Mapping[str, str]], object],
    ) -> None:
        self._prompter = prompter
        self._say = say
        self._view = view
        self._resources = resources
        self._judge = judge

    def complete(self, given: Mapping[str, str | None]) -> dict[str, str]:
        """`given`, and an answer to each that is None. Raises KeyboardInterrupt."""
        answers = {key: value for key, value in given.items() if value is not None}
        for key in given:
            if key not in answers:
                answers[key] = self._ask(key, answers)
        return answers

    def _ask(self, key: str, answers: Mapping[str, str]) -> str:
        if key == NAME:
            return self._choose("Which resource?", [one.name for one in self._resources])
        if key == FIELD_NAME:
            fields = {one.name: [f.name for f in one.fields] for one in self._resources}
            return self._choose("Which field?", fields.get(answers[NAME], []))
        return self._write(NEW_FIELD if NAME in answers else NEW_RESOURCE, answers)

    def _choose(self, ask: str, names: list[str]) -> str:
        choices = [Choice(name, name) for name in names]
        return self._prompter.choose(Heading(ask), choices, names[0]) if names else ""

    def _write(self, heading: Heading, answers: Mapping[str, str]) -> str:
        typed = ""
        while True:
            text = self._prompter.write(heading, typed)
            try:
                self._judge({**answers, DECLARATION: text})
                return text
            except BadAnswers as problem:
                for line in str(problem).splitlines():
                    self._say(self._view.style("\n".join(self._view.wrapped(line)), "warn"))
                typed = text if self._prompter.edits else ""
