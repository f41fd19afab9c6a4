"""Ask for what a command that changes the resources of a service was not told."""

from collections.abc import Callable, Mapping
from functools import partial

from scaffold.errors import BadAnswers
from scaffold.growing.changes import Resources
from scaffold.resources.short_form import EXAMPLE
from scaffold.terminal.conversation import Conversation, Rejected
from scaffold.terminal.prompts import Choice, Heading
from scaffold.terminal.view import Terminal

NAME, FIELD_NAME, DECLARATION = "name", "field_name", "declaration"
NEW_RESOURCE = Heading("What is the new resource?", f"Its name and its fields, such as: {EXAMPLE}")
NEW_FIELD = Heading(
    "What is the new field?", "Its name and its type, such as: vip:bool:default=false"
)


class Questions:
    """The questions about a service that has `resources`.

    `judge` raises BadAnswers for answers that cannot be carried out.
    """

    def __init__(
        self,
        conversation: Conversation,
        view: Terminal,
        resources: Resources,
        judge: Callable[[Mapping[str, str]], object],
    ) -> None:
        self._conversation = conversation
        self._view = view
        self._resources = resources
        self._judge = judge

    def complete(self, given: Mapping[str, str | None]) -> dict[str, str]:
        """`given`, and an answer to each that is None. Raises KeyboardInterrupt."""
        return self._conversation.run(partial(self._complete, given))

    def _complete(self, given: Mapping[str, str | None]) -> dict[str, str]:
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
        return self._conversation.choose(Heading(ask), choices, names[0]) if names else ""

    def _write(self, heading: Heading, answers: Mapping[str, str]) -> str:
        def judge(text: str) -> str:
            try:
                self._judge({**answers, DECLARATION: text})
            except BadAnswers as problem:
                edited = text if self._conversation.edits else ""
                raise Rejected(self._view.warning(str(problem)), edited) from problem
            return ""

        return self._conversation.write(heading, judge=judge)
