"""Questions in a row, with a way back to the one before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from scaffold.terminal.prompts import Back, Choice, Heading, Prompter

Result = TypeVar("Result")


class Rejected(Exception):
    """An answer that would not work: `why`, and the text that the next try begins with."""

    def __init__(self, why: str, typed: str = "") -> None:
        super().__init__(why)
        self.typed = typed


@dataclass(frozen=True)
class Answered:
    """One answer, and how many texts were on the screen when it was given."""

    ask: str
    answer: Any
    shown: int


class Conversation:
    """Asks by `prompter` and shows by `write`.

    A person who goes back has the talk run again: earlier answers are given without asking, and
    nothing is shown until a question has no answer. Its own earlier answer is marked.
    """

    def __init__(self, prompter: Prompter, write: Callable[[str], None]) -> None:
        self._prompter = prompter
        self._write = write
        self._shown: list[str] = []
        self._answered: list[Answered] = []
        self._place = 0
        # What was offered when a question was asked for the nth time, and what was answered.
        self._earlier: dict[tuple[str, int], tuple[Any, Any]] = {}

    @property
    def hint(self) -> str:
        return self._prompter.hint

    @property
    def edits(self) -> bool:
        return self._prompter.edits

    def run(self, talk: Callable[[], Result]) -> Result:
        """What `talk` returns, which asks by this conversation and decides by the answers alone."""
        while True:
            self._place = 0
            try:
                return talk()
            except Back:
                self._take_back()

    def say(self, text: str) -> None:
        if not self._repeating:
            self._write(text)
            self._shown.append(text)

    def choose(self, heading: Heading, choices: Sequence[Choice], default: str) -> str:
        """The id of the choice that is taken."""

        def ask(heading: Heading, marked: str) -> str:
            free = {choice.id for choice in choices if not choice.disabled}
            usual = marked if marked in free else default
            taken = self._prompter.choose(heading, choices, usual)
            self._note(heading, next(c.short for c in choices if c.id == taken))
            return taken

        taken: str = self._ask(heading, default, ask)
        return taken

    def choose_several(self, heading: Heading, choices: Sequence[Choice]) -> list[str]:
        """The ids of all choices that are taken."""

        def ask(heading: Heading, ticked: Sequence[str]) -> list[str]:
            free = [c.id for c in choices if c.id in ticked and not c.disabled]
            taken = self._prompter.choose_several(heading, choices, free)
            named = ", ".join(c.short for c in choices if c.id in taken)
            self._note(heading, named or heading.empty)
            return taken

        taken: list[str] = self._ask(heading, [], ask)
        return taken

    def write(
        self, heading: Heading, typed: str = "", judge: Callable[[str], str] = lambda _: ""
    ) -> str:
        """A line of text that `judge` takes: it raises Rejected, or returns what to show of it."""

        def ask(heading: Heading, begin: str) -> str:
            while True:
                text = self._prompter.write(heading, begin)
                try:
                    shown = judge(text)
                except Rejected as problem:
                    if self._shown[-1:] != [str(problem)]:
                        self.say(str(problem))
                    begin = problem.typed
                    continue
                self._note(heading, text or heading.empty)
                if shown:
                    self.say(shown)
                return text

        if self._repeating:
            try:
                judge(self._answered[self._place].answer)
            except Rejected:  # a folder of that name has appeared meanwhile
                del self._answered[self._place :]
        text: str = self._ask(heading, typed, ask)
        return text

    @property
    def _repeating(self) -> bool:
        return self._place < len(self._answered)

    def _ask(self, heading: Heading, offered: Any, ask: Callable[[Heading, Any], Any]) -> Any:
        """The answer that there is, or one that is asked for.

        An earlier one is marked only if the same is offered as then: a changed recommendation
        takes precedence over the choice that followed the last one.
        """
        if self._repeating:
            self._place += 1
            return self._answered[self._place - 1].answer
        key = (heading.ask, sum(one.ask == heading.ask for one in self._answered))
        before, earlier = self._earlier.get(key, (offered, offered))
        heading = replace(heading, back=bool(self._answered))
        try:
            answer = ask(heading, earlier if before == offered else offered)
        except Back as back:
            if back.unfinished is not None:
                self._earlier[key] = offered, back.unfinished
            raise
        self._earlier[key] = offered, answer
        self._answered.append(Answered(heading.ask, answer, len(self._shown)))
        self._place += 1
        return answer

    def _note(self, heading: Heading, answer: str) -> None:
        if note := self._prompter.note(heading, answer):
            self.say(note)

    def _take_back(self) -> None:
        """The last answer is forgotten, and what was shown since the one before is erased."""
        self._answered.pop()
        left = self._answered[-1].shown if self._answered else 0
        self._prompter.erase(self._shown[left:])
        del self._shown[left:]
