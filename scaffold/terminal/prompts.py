"""How one question is put on a terminal: a menu, or plain lines where there is no cursor to move.

questionary, and prompt_toolkit under it, only here.
"""

import re
import signal
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Protocol

from scaffold.terminal.view import Terminal

TICK = "Space or its number ticks one."


@dataclass(frozen=True)
class Choice:
    """One line of a menu.

    `about` explains it while the cursor is on it. `answer` stands for `label` once it is taken;
    `disabled` says why it cannot be.
    """

    id: str
    label: str
    about: str = ""
    answer: str | None = None
    disabled: str | None = None


@dataclass(frozen=True)
class Heading:
    """`place` says which one it is, such as "2 of 6"; `empty` what Enter alone stands for."""

    ask: str
    explain: str = ""
    place: str = ""
    empty: str = "(none)"

    @property
    def asked(self) -> str:
        """The question, and its place while it is asked."""
        return f"{self.ask} ({self.place})" if self.place else self.ask


class Prompter(Protocol):
    """Both ways raise KeyboardInterrupt where the person gives up."""

    hint: str  # how to answer, said once
    edits: bool  # whether text that `write` begins with can be changed, and not only taken

    def choose(self, heading: Heading, choices: Sequence[Choice], default: str) -> str:
        """The id of the choice that is taken; Enter alone takes `default`."""

    def choose_several(self, heading: Heading, choices: Sequence[Choice]) -> list[str]:
        """The ids of all choices that are taken; Enter alone takes none."""

    def write(self, heading: Heading, typed: str = "") -> str:
        """One line of text, to begin with `typed`."""


class MenuPrompter:
    """Arrow keys and Enter, or the number of a line; what was asked shrinks to one line."""

    hint = (
        "Enter takes the marked answer, a number picks one at once. Ctrl-C leaves nothing behind."
    )
    edits = True

    def __init__(self, say: Callable[[str], None], view: Terminal) -> None:
        self._say = say
        self._view = view
        self._pointer = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}" if view.drawing else ">"

    def choose(self, heading: Heading, choices: Sequence[Choice], default: str) -> str:
        import questionary

        question = questionary.select(
            self._message(heading),
            self._lines(choices),
            default=default,
            qmark="?",
            pointer=self._pointer,
            instruction=self._explanation(heading) or " ",
            style=self._style(),
            erase_when_done=True,
            **self._depth(),
        )
        _mark_the_pointed_alone(question.application)
        _take_by_number(question.application, choices)
        _end_on_sigint(question.application)
        with _ending_whole(question.application):
            taken: str = question.unsafe_ask()
        self._note(heading, next(c.answer or c.label for c in choices if c.id == taken))
        return taken

    def choose_several(self, heading: Heading, choices: Sequence[Choice]) -> list[str]:
        import questionary

        if not self._view.drawing:  # its boxes are no ASCII
            return LinePrompter(self._say, self._view).choose_several(heading, choices)
        question = questionary.checkbox(
            self._message(heading),
            self._lines(choices),
            qmark="?",
            pointer=self._pointer,
            instruction=self._explanation(replace(heading, explain=f"{heading.explain} {TICK}")),
            style=self._style(),
            erase_when_done=True,
            **self._depth(),
        )
        _tick_by_number(question.application, choices)
        _end_on_sigint(question.application)
        with _ending_whole(question.application):
            taken: list[str] = question.unsafe_ask()
        named = ", ".join(c.answer or c.label for c in choices if c.id in taken)
        self._note(heading, named or heading.empty)
        return taken

    def write(self, heading: Heading, typed: str = "") -> str:
        import questionary

        question = questionary.text(
            self._message(heading),
            default=typed,
            qmark="?",
            instruction=f"{self._explanation(heading)}\n ",
            style=self._style(),
            erase_when_done=True,
            **self._depth(),
        )
        try:
            with _ending_whole(question.application):
                written: str = question.unsafe_ask().strip()
        except EOFError as error:
            raise KeyboardInterrupt from error
        self._note(heading, written or heading.empty)
        return written

    def _message(self, heading: Heading) -> str:
        return "\n  ".join(textwrap.wrap(heading.asked, self._view.width - 4))

    def _explanation(self, heading: Heading) -> str:
        """What stands below the question, each line on one of its own."""
        lines = textwrap.wrap(heading.explain, self._view.width - 4)
        return "".join(f"\n  {line}" for line in lines)

    def _lines(self, choices: Sequence[Choice]) -> list[Any]:
        import questionary

        # questionary puts a dash before a disabled choice; the others are indented to line up
        room = "  " if any(choice.disabled for choice in choices) else ""
        lines = []
        for number, choice in enumerate(choices, 1):
            text = f"{number} {choice.label}" + (f" ({choice.disabled})" if choice.disabled else "")
            begin = "" if choice.disabled else room
            wrapped = textwrap.wrap(
                begin + text, self._view.width - 6, subsequent_indent=f"     {room}"
            )
            disabled: Any = bool(choice.disabled)
            about = self._about(choice)
            title = "\n".join(wrapped)
            lines.append(questionary.Choice(title, choice.id, disabled=disabled, description=about))
        return lines

    def _about(self, choice: Choice) -> str | None:
        """The explanation below the menu, in lines that fit; questionary puts a word before it."""
        room = " " * len("  Description: ")
        lines = textwrap.wrap(choice.about, self._view.width - 2, initial_indent=room)
        return "\n  ".join(lines).strip() or None

    def _style(self) -> Any:
        import questionary

        if not self._view.colour:
            return questionary.Style(
                [(name, "noinherit") for name in ("qmark", "answer", "question")]
            )
        return questionary.Style(
            [
                ("qmark", "fg:ansicyan bold"),
                ("pointer", "fg:ansicyan bold"),
                ("instruction", "noinherit"),
                ("highlighted", "fg:ansicyan bold"),
                ("disabled", "fg:ansibrightblack"),
            ]
        )

    def _depth(self) -> dict[str, Any]:
        from prompt_toolkit.output import ColorDepth

        return {} if self._view.colour else {"color_depth": ColorDepth.DEPTH_1_BIT}

    def _note(self, heading: Heading, answer: str) -> None:
        mark = "\N{CHECK MARK}" if self._view.drawing else "-"
        lines = "\n".join(self._view.wrapped(f"{heading.ask} {answer}", "    ", "  "))
        self._say(self._view.style(mark, "good") + lines[1:])


def _mark_the_pointed_alone(application: Any) -> None:
    """questionary would show the default as taken, wherever the cursor is."""
    for control in application.layout.find_all_controls():
        if hasattr(control, "selected_options"):
            control.selected_options.clear()


def _take_by_number(application: Any, choices: Sequence[Choice]) -> None:
    """One key is enough: the number of a choice takes it at once."""
    for number, choice in enumerate(choices[:9], 1):
        if not choice.disabled:
            _bind(application, str(number), choice.id)


def _tick_by_number(application: Any, choices: Sequence[Choice]) -> None:
    """The number of a choice ticks it, or takes its tick away."""
    (control,) = (c for c in application.layout.find_all_controls() if hasattr(c, "choices"))
    ticked = control.selected_options

    def bind(key: str, choice: str) -> None:
        def toggle(_event: Any) -> None:
            (ticked.remove if choice in ticked else ticked.append)(choice)

        application.key_bindings.add(key, eager=True)(toggle)

    for number, choice in enumerate(choices[:9], 1):
        if not choice.disabled:
            bind(str(number), choice.id)


def _end_on_sigint(application: Any) -> None:
    """A SIGINT that no key sent, which questionary's menus do not heed."""

    def give_up(event: Any) -> None:
        event.app.exit(exception=KeyboardInterrupt)

    application.key_bindings.add("<sigint>")(give_up)


@contextmanager
def _ending_whole(application: Any) -> Iterator[None]:
    """SIGTERM and SIGHUP end a question as SIGINT does, between two drawings and not in one."""
    came = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if application.loop is None:
            before[number](number, frame)
        else:
            came = True
            application.loop.call_soon_threadsafe(give_up)

    def give_up() -> None:
        if not application.is_done:
            application.exit(exception=KeyboardInterrupt)

    ending = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in ending}
    before = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _bind(application: Any, key: str, result: str) -> None:
    def take(event: Any) -> None:
        event.app.exit(result=result)

    application.key_bindings.add(key, eager=True)(take)


class LinePrompter:
    """For a terminal that cannot move its cursor, and for screen readers: numbered lines."""

    hint = "Type a number and Enter; Enter alone takes the one in brackets. Ctrl-C leaves nothing."
    edits = False

    def __init__(self, say: Callable[[str], None], view: Terminal) -> None:
        self._say = say
        self._view = view

    def choose(self, heading: Heading, choices: Sequence[Choice], default: str) -> str:
        open_ids = self._numbered(heading, choices)
        usual = next(number for number, taken in open_ids.items() if taken == default)
        while (typed := self._read(f"Number [{usual}]: ") or usual) not in open_ids:
            self._say(f"Type one of {', '.join(open_ids)}.")
        return open_ids[typed]

    def choose_several(self, heading: Heading, choices: Sequence[Choice]) -> list[str]:
        open_ids = self._numbered(heading, choices)
        while not (typed := set(re.findall("[^ ,]+", self._read("Numbers: ")))) <= set(open_ids):
            self._say(f"Type any of {', '.join(open_ids)}, with commas between, or nothing.")
        return [taken for number, taken in open_ids.items() if number in typed]

    def _numbered(self, heading: Heading, choices: Sequence[Choice]) -> dict[str, str]:
        """Shows the choices; returns the ids of those that can be taken, by number."""
        self._show(heading)
        for number, choice in enumerate(choices, 1):
            note = f" ({choice.disabled})" if choice.disabled else ""
            self._wrapped(f"{number}. {choice.label}{note}", "  ", "     ")
        return {str(n): c.id for n, c in enumerate(choices, 1) if not c.disabled}

    def write(self, heading: Heading, typed: str = "") -> str:
        self._show(heading)
        return self._read(f"Text [{typed}]: " if typed else "Text: ") or typed

    def _show(self, heading: Heading) -> None:
        self._say("")
        self._wrapped(heading.asked)
        if heading.explain:
            self._wrapped(heading.explain)

    def _wrapped(self, text: str, first: str = "", indent: str = "") -> None:
        width = self._view.width - 1
        self._say(textwrap.fill(text, width, initial_indent=first, subsequent_indent=indent))

    def _read(self, prompt: str) -> str:
        try:
            return input(prompt).strip()
        except EOFError as error:
            raise KeyboardInterrupt from error
