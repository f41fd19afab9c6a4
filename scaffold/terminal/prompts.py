"""How one question is put on a terminal: a menu, or plain lines if there is no cursor to move.

questionary, and prompt_toolkit under it, only here.
"""

import re
import signal
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType
from typing import Any, Protocol

from scaffold.terminal.view import WIDEST, Terminal

BACK, NOTHING = "<", "-"  # typed where there are no keys
TICK = "Press Space or a number to select."
ESCAPE_SECONDS = 0.2  # Alt sends Esc and a letter: so long a text waits for the letter
LABEL = "Description: "  # what questionary puts before the explanation of a choice
CODES = re.compile(r"\x1b\[[0-9;]*m")
MENU_KEYS = ("left", "escape", "s-tab")
TEXT_KEYS = MENU_KEYS[1:]  # Left moves in a text


class Back(Exception):
    """Raised to return to the previous question; `unfinished` is what was typed or ticked."""

    def __init__(self, unfinished: Any = None) -> None:
        super().__init__()
        self.unfinished = unfinished


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

    @property
    def short(self) -> str:
        return self.answer or self.label


@dataclass(frozen=True)
class Heading:
    """`place` says which one it is, such as "2 of 6"; `empty` what Enter alone stands for.

    `back` is whether there is a question before it.
    """

    ask: str
    explain: str = ""
    place: str = ""
    empty: str = "(none)"
    back: bool = False

    @property
    def asked(self) -> str:
        """The question, and its place while it is asked."""
        return f"{self.ask} ({self.place})" if self.place else self.ask


class Prompter(Protocol):
    """Each way to ask raises KeyboardInterrupt if the person gives up, and Back if they go back."""

    hint: str  # how to answer, said once
    edits: bool  # whether text that `write` begins with can be changed, and not only taken

    def choose(self, heading: Heading, choices: Sequence[Choice], default: str) -> str:
        """The id of the choice that is taken; Enter alone takes `default`."""

    def choose_several(
        self, heading: Heading, choices: Sequence[Choice], ticked: Sequence[str] = ()
    ) -> list[str]:
        """The ids of all choices that are taken; Enter alone takes those that are `ticked`."""

    def write(self, heading: Heading, typed: str = "") -> str:
        """One line of text, to begin with `typed`."""

    def note(self, heading: Heading, answer: str, /) -> str:
        """What stays on the screen of a question that is answered."""

    def erase(self, texts: Sequence[str], /) -> None:
        """Take back what was printed last."""


class MenuPrompter:
    """Arrow keys and Enter, or the number of a line; what was asked shrinks to one line."""

    hint = (
        "Press Enter to accept the selected answer, or a number to choose one. "
        "Esc goes back; Ctrl-C cancels and leaves nothing behind."
    )
    edits = True

    def __init__(self, say: Callable[[str], None], view: Terminal) -> None:
        self._say = say
        self._view = view
        self._width = min(view.width, WIDEST)
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
        _explain_without_a_label(question.application)
        _take_by_number(question.application, choices)
        _go_back(question.application.key_bindings, MENU_KEYS, heading, eager=True)
        _end_on_sigint(question.application)
        with _ending_whole(question.application):
            taken: str = question.unsafe_ask()
        return taken

    def choose_several(
        self, heading: Heading, choices: Sequence[Choice], ticked: Sequence[str] = ()
    ) -> list[str]:
        import questionary

        if not self._view.drawing:  # its boxes are no ASCII
            return LinePrompter(self._say, self._view).choose_several(heading, choices, ticked)
        question = questionary.checkbox(
            self._message(heading),
            self._lines(choices, ticked),
            qmark="?",
            pointer=self._pointer,
            instruction=self._explanation(replace(heading, explain=f"{heading.explain} {TICK}")),
            style=self._style(),
            erase_when_done=True,
            **self._depth(),
        )
        ticks = _tick_by_number(question.application, choices)
        _go_back(
            question.application.key_bindings, MENU_KEYS, heading, eager=True, so_far=ticks.copy
        )
        _end_on_sigint(question.application)
        with _ending_whole(question.application):
            taken: list[str] = question.unsafe_ask()
        return taken

    def write(self, heading: Heading, typed: str = "") -> str:
        import questionary
        from prompt_toolkit.key_binding import KeyBindings

        keys = KeyBindings()
        question = questionary.text(
            self._message(heading),
            default=typed,
            qmark="?",
            instruction=f"{self._explanation(heading)}\n ",
            style=self._style(),
            erase_when_done=True,
            key_bindings=keys,
            **self._depth(),
        )
        buffer = question.application.current_buffer
        _go_back(keys, TEXT_KEYS, heading, so_far=lambda: buffer.text)
        question.application.timeoutlen = ESCAPE_SECONDS
        try:
            with _ending_whole(question.application):
                written: str = question.unsafe_ask().strip()
        except EOFError as error:
            raise KeyboardInterrupt from error
        return written

    def note(self, heading: Heading, answer: str, /) -> str:
        mark = "\N{CHECK MARK}" if self._view.drawing else "-"
        lines = "\n".join(self._view.wrapped(f"{heading.ask} {answer}", "    ", "  "))
        return self._view.style(mark, "good") + lines[1:]

    def erase(self, texts: Sequence[str], /) -> None:
        from prompt_toolkit.output import create_output
        from prompt_toolkit.utils import get_cwidth

        output = create_output()
        columns = output.get_size().columns or self._view.width
        widths = (get_cwidth(CODES.sub("", line)) for text in texts for line in text.split("\n"))
        output.cursor_up(sum(max(1, -(-width // columns)) for width in widths))
        output.erase_down()
        output.flush()

    def _message(self, heading: Heading) -> str:
        return "\n  ".join(textwrap.wrap(heading.asked, self._width - 4))

    def _explanation(self, heading: Heading) -> str:
        """What stands below the question, each line on one of its own."""
        lines = textwrap.wrap(heading.explain, self._width - 4)
        return "".join(f"\n  {line}" for line in lines)

    def _lines(self, choices: Sequence[Choice], ticked: Sequence[str] = ()) -> list[Any]:
        import questionary

        # questionary puts a dash before a disabled choice; the others are indented to line up
        room = "  " if any(choice.disabled for choice in choices) else ""
        lines = []
        for number, choice in enumerate(choices, 1):
            text = f"{number} {choice.label}" + (f" ({choice.disabled})" if choice.disabled else "")
            begin = "" if choice.disabled else room
            wrapped = textwrap.wrap(begin + text, self._width - 6, subsequent_indent=f"     {room}")
            disabled: Any = bool(choice.disabled)
            about = self._about(choice)
            title = "\n".join(wrapped)
            checked = choice.id in ticked
            lines.append(
                questionary.Choice(
                    title, choice.id, disabled=disabled, checked=checked, description=about
                )
            )
        return lines

    def _about(self, choice: Choice) -> str | None:
        """The explanation below the menu, in lines that fit."""
        return "\n  ".join(textwrap.wrap(choice.about, self._width - 4)) or None

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


def _mark_the_pointed_alone(application: Any) -> None:
    """questionary would show the default as taken, wherever the cursor is."""
    for control in application.layout.find_all_controls():
        if hasattr(control, "selected_options"):
            control.selected_options.clear()


def _explain_without_a_label(application: Any) -> None:
    for control in application.layout.find_all_controls():
        if hasattr(control, "selected_options"):
            control.text = partial(_without_label, control.text)


def _without_label(drawn: Callable[[], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    *menu, (style, last) = drawn()
    return [*menu, (style, last.replace(LABEL, "", 1) if last.startswith(f"  {LABEL}") else last)]


def _take_by_number(application: Any, choices: Sequence[Choice]) -> None:
    """One key is enough: the number of a choice takes it at once."""
    for number, choice in enumerate(choices[:9], 1):
        if not choice.disabled:
            _bind(application, str(number), choice.id)


def _tick_by_number(application: Any, choices: Sequence[Choice]) -> list[str]:
    """The number of a choice ticks it, or takes its tick away; returns those that are ticked."""
    (control,) = (c for c in application.layout.find_all_controls() if hasattr(c, "choices"))
    ticked: list[str] = control.selected_options

    def bind(key: str, choice: str) -> None:
        def toggle(_event: Any) -> None:
            (ticked.remove if choice in ticked else ticked.append)(choice)

        application.key_bindings.add(key, eager=True)(toggle)

    for number, choice in enumerate(choices[:9], 1):
        if not choice.disabled:
            bind(str(number), choice.id)
    return ticked


def _go_back(
    key_bindings: Any,
    keys: Sequence[str],
    heading: Heading,
    eager: bool = False,
    so_far: Callable[[], Any] = lambda: None,
) -> None:
    """Any of `keys` goes to the question before; if there is none, they do nothing."""

    def go(event: Any) -> None:
        if heading.back:
            event.app.exit(exception=Back(so_far()))

    for key in keys:
        key_bindings.add(key, eager=eager)(go)


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

    hint = (
        "Type a number and press Enter, or only press Enter to accept the one in brackets. "
        "< goes back; Ctrl-C cancels and leaves nothing behind."
    )
    edits = False

    def __init__(self, say: Callable[[str], None], view: Terminal) -> None:
        self._say = say
        self._view = view

    def choose(self, heading: Heading, choices: Sequence[Choice], default: str) -> str:
        open_ids = self._numbered(heading, choices)
        usual = next(number for number, taken in open_ids.items() if taken == default)
        while (typed := self._read(heading, f"Number [{usual}]: ") or usual) not in open_ids:
            self._say(f"Type one of {', '.join(open_ids)}.")
        return open_ids[typed]

    def choose_several(
        self, heading: Heading, choices: Sequence[Choice], ticked: Sequence[str] = ()
    ) -> list[str]:
        open_ids = self._numbered(heading, choices)
        usual = ",".join(number for number, taken in open_ids.items() if taken in ticked)
        while not (typed := self._numbers(heading, usual)) <= set(open_ids):
            self._say(f"Type any of {', '.join(open_ids)}, separated by commas, or nothing.")
        return [taken for number, taken in open_ids.items() if number in typed]

    def _numbers(self, heading: Heading, usual: str) -> set[str]:
        prompt = f"Numbers [{usual}], {NOTHING} for none: " if usual else "Numbers: "
        typed = self._read(heading, prompt) or usual
        return set() if usual and typed == NOTHING else set(re.findall("[^ ,]+", typed))

    def _numbered(self, heading: Heading, choices: Sequence[Choice]) -> dict[str, str]:
        """Shows the choices; returns the ids of those that can be taken, by number."""
        self._show(heading)
        for number, choice in enumerate(choices, 1):
            note = f" ({choice.disabled})" if choice.disabled else ""
            self._wrapped(f"{number}. {choice.label}{note}", "  ", "     ")
        return {str(n): c.id for n, c in enumerate(choices, 1) if not c.disabled}

    def write(self, heading: Heading, typed: str = "") -> str:
        self._show(heading)
        prompt = f"Text [{typed}], {NOTHING} for none: " if typed else "Text: "
        text = self._read(heading, prompt) or typed
        return "" if typed and text == NOTHING else text

    def note(self, _heading: Heading, _answer: str, /) -> str:
        return ""

    def erase(self, _texts: Sequence[str], /) -> None:
        """Nothing: what was printed stays."""

    def _show(self, heading: Heading) -> None:
        self._say("")
        self._wrapped(heading.asked)
        if heading.explain:
            self._wrapped(heading.explain)

    def _wrapped(self, text: str, first: str = "", indent: str = "") -> None:
        width = self._view.width - 1
        self._say(textwrap.fill(text, width, initial_indent=first, subsequent_indent=indent))

    def _read(self, heading: Heading, prompt: str) -> str:
        try:
            typed = input(prompt).strip()
        except EOFError as error:
            raise KeyboardInterrupt from error
        if heading.back and typed == BACK:
            raise Back
        return typed
