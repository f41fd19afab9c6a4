"""The wizard on a real terminal, as a person sees it."""

from __future__ import annotations

import io
import json
import re
import shlex
import signal
import subprocess
from pathlib import Path
from types import FrameType
from typing import Any

import pyte
import pytest
import yaml
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from scaffold.catalog import catalog, record
from scaffold.resources import long_form, short_form
from scaffold.terminal import text_output, understood
from scaffold.terminal.conversation import Conversation, Rejected
from scaffold.terminal.prompts import Choice, Heading, MenuPrompter
from scaffold.terminal.view import Terminal as View
from tests.tool.conftest import REPOSITORY, Checkout
from tests.tool.terminal import (
    CTRL_C,
    CTRL_D,
    DOWN,
    ENTER,
    ESC,
    LEFT,
    SHIFT_TAB,
    Terminal,
)

WORKLOAD = [
    "How do clients talk to it?",
    "How large will the service become?",
    "Will people sign in and edit its data?",
    "What kind of load do you expect?",
    "What should the API offer its clients?",
    "What does the team know?",
]
NAME = "What is the service called?"
WHICH = "Which framework do you want to use?"
FIELDS = [
    "What does it store?",
    "What does it do, in one sentence?",
    "Who owns it?",
    "Which database does it use?",
    "Where does its CI run?",
    "Which optional features should it have?",
]
KEEPS, MORE = FIELDS[0], "What else does it store?"
CLEAR = "\x15"  # Ctrl-U
ROOM = "room name:str:1..100:unique seats:int:1..500:default=2"
QUIET = ("new", "--no-lock", "--no-git")
MARK = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def answers_of(folder: Path) -> dict[str, str]:
    loaded: dict[str, str] = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    return loaded


def test_enter_all_the_way_gives_a_good_service(checkout: Checkout, tmp_path: Path) -> None:
    with Terminal(checkout, tmp_path, *QUIET) as terminal:
        terminal.wait_for(f"? {NAME}")
        terminal.send(ENTER)  # refused, and asked again at once
        terminal.wait_for('"" is not available: it is empty.')
        for question in (NAME, *WORKLOAD, WHICH, *FIELDS):
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
    answers = answers_of(tmp_path / "my-service")
    assert (answers["framework"], answers["database"], answers["ci"]) == (
        "flask",
        "sqlite",
        "github",
    )


def test_each_question_is_explained_has_a_default_and_shrinks_to_a_line(
    checkout: Checkout, tmp_path: Path
) -> None:
    with Terminal(checkout, tmp_path, *QUIET, "my-svc") as terminal:
        terminal.wait_for("Press Enter to accept the selected answer, or a number to choose one.")
        terminal.wait_for(WORKLOAD[0])
        terminal.wait_for("The most important question: ")
        terminal.wait_for(f"{MARK} 1 Plain HTTP")
        terminal.answer(WORKLOAD[0], DOWN + ENTER)
        terminal.wait_for(f"✓ {WORKLOAD[0]} Thousands of open connections")
        assert "The most important question" not in terminal.text
        terminal.send(CTRL_C)
        assert terminal.end() == 130


def test_the_ranking_has_reasons_a_runner_up_and_what_sets_them_apart(
    checkout: Checkout, tmp_path: Path
) -> None:
    with Terminal(checkout, tmp_path, *QUIET, "my-svc") as terminal:
        for question in WORKLOAD:
            terminal.answer(question, ENTER)
        terminal.wait_for(WHICH)
        seen = terminal.text
        assert "Best match: Flask (92 %)" in seen
        assert len(re.findall(r"^  \+ ", seen, re.MULTILINE)) == 3
        assert "Runner-up: Flask-RESTful (75 %)\n  ahead on support for REST API" in seen
        assert "\n  behind on small and light, quick to learn and start with\n" in seen
        assert "! no release since 2023-05-21" in seen
        assert f"{MARK} 1 Flask" in " ".join(seen.split())
        assert "(no template yet)" in seen
        terminal.send(CTRL_C)
        assert terminal.end() == 130


def test_a_question_says_its_place_and_what_the_answer_under_the_cursor_looks_for(
    checkout: Checkout, tmp_path: Path
) -> None:
    with Terminal(checkout, tmp_path, *QUIET, "my-svc", "--team", "any") as terminal:
        terminal.wait_for(f"? {WORKLOAD[0]} (1 of 5)")
        terminal.wait_for("Preferred: support for REST API design.")
        terminal.send(DOWN)
        terminal.wait_for("Required: long-lived connections. Preferred: many concurrent")
        assert "support for REST API design" not in terminal.text
        terminal.answer(WORKLOAD[0], ENTER)
        terminal.wait_for(f"? {WORKLOAD[1]} (2 of 5)")
        terminal.wait_for("4 Not sure yet Preferred: small and light")
        assert "Description" not in terminal.text
        terminal.send(CTRL_C)
        assert terminal.end() == 130


def test_the_menu_of_frameworks_says_what_speaks_against_each_and_describes_one(
    checkout: Checkout, tmp_path: Path
) -> None:
    given = ("--talk", "messages", "--size", "grows", "--data", "no", "--load", "nothing")
    with Terminal(checkout, tmp_path, *QUIET, "my-svc", *given, columns=100) as terminal:
        for question in WORKLOAD[4:]:
            terminal.answer(question, ENTER)
        terminal.wait_for("Best match: Nameko (45 %): the only one designed for RPC and events")
        terminal.wait_for(WHICH)
        lines = terminal.text.splitlines()
        (nameko,) = (line for line in lines if re.search(r" 1 Nameko +█", line))
        assert "inactive" in nameko
        assert len([line for line in lines if "%  not recommended" in line]) == 8
        described = " ".join(terminal.text.split()).rpartition("not recommended ")[2]
        assert described.startswith("One event loop that keeps thousands of connections open.")
        terminal.send(CTRL_C)
        assert terminal.end() == 130


def test_one_key_overrides_the_recommendation(checkout: Checkout, tmp_path: Path) -> None:
    with Terminal(checkout, tmp_path, *QUIET, "my-svc") as terminal:
        for question in WORKLOAD:
            terminal.answer(question, "1")
        terminal.answer(WHICH, "2")
        terminal.wait_for(f"✓ {WHICH} Flask-RESTful")
        terminal.answer(FIELDS[0], ENTER)
        terminal.answer(FIELDS[1], 'Keeps "stock" 💚' + ENTER)
        terminal.answer(FIELDS[2], "Zoë" + ENTER)
        terminal.answer(FIELDS[3], "2")
        terminal.answer(FIELDS[4], DOWN + DOWN + ENTER)
        terminal.answer(FIELDS[5], ENTER)
        assert terminal.end() == 0
        shown = " ".join(terminal.text.split())
    answers = answers_of(tmp_path / "my-svc")
    given = {key: answers[key] for key in ("framework", "description", "author", "database", "ci")}
    assert given == {
        "framework": "flask_restful",
        "description": 'Keeps "stock" 💚',
        "author": "Zoë",
        "database": "postgresql",
        "ci": "none",
    }
    assert "cd my-svc uv run pytest uv run my-svc" in shown
    assert "scaffold new my-svc --framework flask_restful \\ --description " in shown
    assert "uv run my-svc then open http://127.0.0.1:8000/docs for interactive API docs" in shown


# ---- going back


@pytest.mark.parametrize("key", [LEFT, ESC, SHIFT_TAB], ids=["Left", "Esc", "Shift-Tab"])
def test_back_goes_to_the_question_before_with_its_answer_marked(
    checkout: Checkout, tmp_path: Path, key: str
) -> None:
    with Terminal(checkout, tmp_path, *QUIET, "my-svc") as terminal:
        terminal.wait_for(f"? {WORKLOAD[0]}")
        terminal.send(key)  # there is none before the first
        terminal.answer(WORKLOAD[0], ENTER)
        terminal.answer(WORKLOAD[1], "2")
        terminal.wait_for(f"✓ {WORKLOAD[1]} Small now, may grow large")
        terminal.answer(WORKLOAD[2], key)
        terminal.wait_for(f"? {WORKLOAD[1]} (2 of 6)")
        terminal.wait_for(f"{MARK} 2 Small now, may grow large")
        assert f"✓ {WORKLOAD[1]}" not in terminal.text
        assert f"✓ {WORKLOAD[0]} Plain HTTP" in terminal.text
        terminal.answer(WORKLOAD[1], ENTER)
        terminal.answer(WORKLOAD[2], CTRL_C)
        assert terminal.end() == 130
        assert terminal.text.count(f"✓ {WORKLOAD[1]} Small now, may grow large") == 1


def test_back_passes_a_text_the_resources_and_the_recommendation(
    checkout: Checkout, tmp_path: Path
) -> None:
    with Terminal(checkout, tmp_path, *QUIET, "my-svc", columns=100) as terminal:
        for question in (*WORKLOAD, WHICH):
            terminal.answer(question, ENTER)
        terminal.answer(KEEPS, ROOM + ENTER)
        terminal.try_answer(MORE, "guest email:email" + ENTER, "guest, plural guests")
        terminal.answer(MORE, ENTER)
        terminal.answer(FIELDS[1], "Books rooms" + LEFT + ENTER)  # Left moves in a text
        terminal.answer(FIELDS[2], "Ada" + SHIFT_TAB)
        terminal.wait_for(f"? {FIELDS[1]} (2 of 6)")
        terminal.wait_for("Books rooms")
        terminal.answer(FIELDS[1], SHIFT_TAB)  # the answer that ended the list
        terminal.wait_for(f"? {MORE}")
        terminal.send(ESC)
        terminal.wait_for("Press Enter to finish. guest email:email")  # there to be edited
        assert "guest, plural guests" not in terminal.text
        terminal.answer(MORE, SHIFT_TAB)
        terminal.wait_for(ROOM)
        terminal.answer(KEEPS, SHIFT_TAB)
        terminal.wait_for(f"? {WHICH}")
        assert terminal.text.count("Best match: Flask") == 1
        terminal.answer(WHICH, LEFT)
        terminal.wait_for(f"? {WORKLOAD[-1]}")
        assert "Best match" not in terminal.text
        terminal.answer(WORKLOAD[-1], LEFT)
        terminal.answer(WORKLOAD[-2], LEFT)
        terminal.answer(WORKLOAD[-3], "2")  # another load, so another recommendation is marked
        for question in WORKLOAD[-2:]:
            terminal.answer(question, ENTER)
        terminal.wait_for(f"? {WHICH}")
        assert "Best match: Falcon" in terminal.text
        terminal.answer(WHICH, ENTER)
        terminal.answer(KEEPS, ENTER)  # all that was typed is still there
        terminal.try_answer(MORE, ENTER, "guest, plural guests")
        for question in (MORE, *FIELDS[1:]):
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
        assert terminal.text.count("guest, plural guests") == 1
    answers = answers_of(tmp_path / "my-svc")
    assert (answers["framework"], answers["description"]) == ("flask", "Books rooms")
    assert answers["author"] == "Ada", "what was typed before going back"
    assert resources_of(tmp_path / "my-svc") == long(ROOM, "guest email:email")


def test_back_keeps_what_was_ticked_and_typed(checkout: Checkout) -> None:
    known = catalog.load(checkout.root)
    question = known.question("with")
    choices = [Choice(option.id, option.label) for option in question.options]
    said: list[str] = []
    with create_pipe_input() as keys, create_app_session(keys, DummyOutput()):
        menus = MenuPrompter(said.append, View(width=80, colour=False, drawing=True))
        conversation = Conversation(menus, said.append)
        keys.send_text(ENTER + "2" + LEFT + ENTER * 2 + "b" + SHIFT_TAB + ENTER + "c" + ENTER)

        def talk() -> tuple[str, list[str], str]:
            first = conversation.write(Heading("Who?"))
            several = conversation.choose_several(Heading("Which?"), choices)
            return first, several, conversation.write(Heading("What?"))

        assert conversation.run(talk) == ("", ["tracing"], "bc")


def test_why_an_answer_is_refused_is_said_once_however_often_it_is_given() -> None:
    said: list[str] = []

    def judge(text: str) -> str:
        if text == "x":
            raise Rejected("Not x.", "x")
        return ""

    with create_pipe_input() as keys, create_app_session(keys, DummyOutput()):
        menus = MenuPrompter(said.append, View(width=80, colour=False, drawing=True))
        conversation = Conversation(menus, said.append)
        keys.send_text("x" + ENTER * 3 + CLEAR + "y" + ENTER)
        assert conversation.write(Heading("What?"), judge=judge) == "y"
    assert said == ["Not x.", "✓ What? y"]


def test_a_dumb_terminal_goes_back_as_well(checkout: Checkout, tmp_path: Path) -> None:
    given = (*QUIET, "my-svc", "--framework", "flask")
    with Terminal(checkout, tmp_path, *given, environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for("< goes back")
        for words, keys in (
            (f"{FIELDS[0]} (1 of 6)", ""),
            (f"{FIELDS[1]} (2 of 6)", "Books rooms"),
            (f"{FIELDS[2]} (3 of 6)", "<"),
            ("Text [Books rooms], - for none:", ""),
            (f"{FIELDS[2]} (3 of 6)", ""),
            (f"{FIELDS[3]} (4 of 6)", "2"),
            (f"{FIELDS[4]} (5 of 6)", "<"),
            ("Number [2]:", "1"),
            (f"{FIELDS[4]} (5 of 6)", ""),
            (f"{FIELDS[5]} (6 of 6)", ""),
        ):
            terminal.wait_for_new(words)
            terminal.send(keys + "\r")
        assert terminal.end() == 0
    answers = answers_of(tmp_path / "my-svc")
    assert (answers["description"], answers["database"]) == ("Books rooms", "sqlite")


def test_what_is_refused_gets_no_tick(checkout: Checkout, tmp_path: Path) -> None:
    given = (*QUIET, "--framework", "flask")
    with Terminal(checkout, tmp_path, *given, columns=100) as terminal:
        terminal.try_answer(NAME, "class" + ENTER, '"class" is not available')
        terminal.answer(NAME, ENTER)
        terminal.try_answer(KEEPS, "room name:strr" + ENTER, '"strr" is not a type')
        terminal.wait_for("room name:strr")
        ticked = [line for line in terminal.text.splitlines() if line.startswith("✓")]
        assert ticked == [f"✓ {NAME} class-service"]
        terminal.send(CTRL_C)
        assert terminal.end() == 130


@pytest.mark.parametrize("columns", [20, 60, 80, 120])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_command_to_repeat_can_be_pasted_at_any_width(columns: int, shell: str) -> None:
    words = ["scaffold", "new", "hotel", "--resource", ROOM + " projector:bool:filter", "--author"]
    words += ['Zoë, "her\'s"  $HOME `x` \\ 💚', "--with", "auth,tracing", "--no-git", "--defaults"]
    shown = text_output.shell_lines(View(columns, False, True, wraps=True), shlex.join(words))
    assert all(len(line) < columns for line in shown) or columns == 20
    typed = "printf '%s\\n' " + "\n".join(shown)
    ran = subprocess.run([shell, "-c", typed], capture_output=True, check=True, encoding="utf-8")
    assert ran.stdout.splitlines() == words


# ---- what it keeps


def resources_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = record.read(folder).answers["resources"]
    return found


def long(*texts: str) -> list[dict[str, Any]]:
    return [long_form.to_data(resource) for resource in short_form.parse_all(texts)]


def test_what_it_keeps_is_typed_a_line_for_each_and_what_was_understood_is_shown(
    checkout: Checkout, tmp_path: Path
) -> None:
    booking = "booking/stays room:ref guest:ref:optional price:decimal:10.2:optional"
    guest = "guest email:email:unique"
    given = (*QUIET, "hotel", "--framework", "flask")
    with Terminal(checkout, tmp_path, *given, columns=400) as terminal:
        terminal.wait_for("? What does it store? (1 of 6)")
        terminal.wait_for('Type one resource, such as "room name:str seats:int".')
        terminal.wait_for("item name:str:unique quantity:int:0..1000000:default=0")
        terminal.answer(KEEPS, ROOM + ENTER)
        terminal.wait_for("room, plural rooms")
        terminal.wait_for("seats int whole number, 1 to 500 default 2")
        # guest comes later
        terminal.try_answer(MORE, booking + ENTER, "booking, plural stays")
        terminal.try_answer(MORE, guest + ENTER, "guest, plural guests")
        terminal.answer(MORE, ENTER)
        terminal.wait_for(f"✓ {MORE} (nothing else)")
        for question in FIELDS[1:]:
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
        shown = " ".join(terminal.text.split())
    assert resources_of(tmp_path / "hotel") == long(ROOM, booking, guest)
    assert f"--resource 'guest {guest.partition(' ')[2]}' --no-lock" in shown


def test_a_wrong_line_is_explained_and_edited_and_nothing_is_lost(
    checkout: Checkout, tmp_path: Path
) -> None:
    given = (*QUIET, "hotel", "--framework", "flask")
    with Terminal(checkout, tmp_path, *given, columns=100) as terminal:
        terminal.try_answer(
            KEEPS,
            "room name:str:5..1" + ENTER,
            'Resource 1 "room", field 1 "name": "5..1" is not a valid range for str: the lower '
            'bound must not exceed the upper. Try "1..5".',
        )
        terminal.answer(KEEPS, "\x7f" * 4 + "1..5" + ENTER)  # what was typed stands there
        terminal.wait_for("text on one line, 1 to 5 characters")
        terminal.try_answer(
            MORE, "rooms a:int" + ENTER, 'Resource 2 "rooms": "rooms" seems to be a plural;'
        )
        terminal.try_answer(MORE, CLEAR + "booking rom:ref" + ENTER, "ID of the rom ")
        # Enter ends the list, and now the reference leads nowhere
        terminal.try_answer(
            MORE, ENTER, 'Resource 2 "booking", field 1 "rom": No resource is called "rom". '
            'Did you mean "room"?'
        )  # fmt: skip
        # it stands there to be edited
        terminal.try_answer(MORE, "\x7f" * 5 + "om:ref" + ENTER, "room_id ref ID of the room")
        # takes the place of the first
        terminal.try_answer(MORE, "room name:str:1..9" + ENTER, "1 to 9 characters")
        terminal.answer(MORE, ENTER)
        for question in FIELDS[1:]:
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
    assert resources_of(tmp_path / "hotel") == long("room name:str:1..9", "booking room:ref")


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_the_table_fits(checkout: Checkout, tmp_path: Path, columns: int) -> None:
    rich = catalog.load(checkout.root).declarations["rich"]
    given = (*QUIET, "hotel", "--framework", "flask")
    with Terminal(checkout, tmp_path, *given, columns=columns) as terminal:
        terminal.answer(KEEPS, rich[0] + ENTER)
        for text in rich[1:]:
            terminal.try_answer(MORE, text + ENTER, f"{text.partition(' ')[0]}, plural")
        terminal.wait_for(f"? {MORE}")
        for words in ("room_id", "datetime" if columns == 100 else "2027-01-31T09:30:00Z;"):
            terminal.wait_for(words)
        lines = terminal.text.splitlines()
        heads = [line for line in lines if line.split()[:1] == ["field"]]
        wanted = "field type values" if columns == 100 else "field values"
        assert [" ".join(head.split()) for head in heads] == [wanted] * 3
        rules = [line for line in lines if set(line.strip()) == {"─"}]
        assert len(rules) == 3
        assert all(len(line) < columns for line in rules)
        terminal.send(CTRL_C)
        assert terminal.end() == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("drawing", [True, False])
@pytest.mark.parametrize("width", [20, 40, 60, 100, 300])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int, drawing: bool) -> None:
    text = f"{'a' * 40}/{'b' * 40} {'c' * 40}:str:default='[red]:smile:[/] {'x' * 60}' d:uuid"
    shown = understood.table(View(width, False, drawing), short_form.parse(text))
    assert all(len(line) < min(width, 101) for line in shown.splitlines())
    assert drawing or shown.isascii()
    assert "[red]:smile:[/]" in "".join(shown.split()).replace("|", "") or width < 60


def test_a_dumb_terminal_declares_as_well(checkout: Checkout, tmp_path: Path) -> None:
    given = (*QUIET, "hotel", "--framework", "flask")
    with Terminal(checkout, tmp_path, *given, environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for("What does it store? (1 of 6)")
        terminal.send("room a:strr\r")
        terminal.wait_for('"strr" is not a type. Did you mean "str"?')
        terminal.send("room a:str\r")
        terminal.wait_for("What else does it store?")
        terminal.send("booking rom:ref\r")
        terminal.wait_for("rom_id")
        terminal.send("\r")
        terminal.wait_for('No resource is called "rom". Did you mean "room"?')
        terminal.send("booking room:ref\r\r")
        for question in FIELDS[1:]:
            terminal.wait_for(question)
            terminal.send("\r")
        assert terminal.end() == 0
        assert "\x1b" not in terminal.written
    assert resources_of(tmp_path / "hotel") == long("room a:str", "booking room:ref")


def test_what_is_declared_by_flags_is_not_asked_for(checkout: Checkout, tmp_path: Path) -> None:
    given = (*QUIET, "hotel", "--framework", "flask", "--resource", ROOM)
    with Terminal(checkout, tmp_path, *given) as terminal:
        for question in FIELDS[1:]:
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
        assert KEEPS not in terminal.text
    assert resources_of(tmp_path / "hotel") == long(ROOM)


def test_a_closed_choice_cannot_be_taken_and_the_best_open_one_is_marked(
    checkout: Checkout, tmp_path: Path
) -> None:
    with Terminal(checkout, tmp_path, *QUIET, "my-svc", "--load", "rate") as terminal:
        for question in (q for q in WORKLOAD if q != WORKLOAD[3]):
            terminal.answer(question, ENTER)
        terminal.wait_for("Falcon has no template yet. The next best match is Flask.")
        terminal.wait_for(WHICH)
        assert re.search(rf"{MARK} +2 Flask +█", terminal.text)
        terminal.send("1")
        terminal.answer(WHICH, ENTER)
        terminal.wait_for(f"✓ {WHICH} Flask")
        terminal.send(CTRL_C)
        assert terminal.end() == 130


def test_two_services_are_asked_which_is_first(tmp_path: Path) -> None:
    checkout = Checkout(REPOSITORY)
    with Terminal(checkout, tmp_path, *QUIET, "my-svc", columns=120) as terminal:
        terminal.answer(WORKLOAD[0], "2")
        terminal.answer(WORKLOAD[1], ENTER)
        terminal.answer(WORKLOAD[2], "2")
        for question in WORKLOAD[3:]:
            terminal.answer(question, ENTER)
        terminal.wait_for("This workload needs two services: Django with DRF and Tornado")
        terminal.wait_for("? Which one do you want to generate first?")
        listed = re.findall(rf"^[ {MARK}-]+(\d) ([A-Z].+?) +[█░]+ .*% +(.*)$", terminal.text, re.M)
        assert listed[0][:2] == ("1", "Django with DRF")  # in the order of the title
        assert listed[0][2].startswith("for built-in accounts, ORM and admin pages")
        assert listed[1] == ("2", "Tornado", "for long-lived connections")
        assert [number for number, _, _ in listed] == list("123456789")
        terminal.answer("Which one do you want to generate first?", "2")
        for question in FIELDS[:3]:
            terminal.answer(question, ENTER)
        terminal.answer(FIELDS[3], "2")
        for question in FIELDS[4:]:
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
        seen = terminal.text
    assert answers_of(tmp_path / "my-svc")["framework"] == "tornado"
    second = seen.partition("To generate the second service\n")[2].partition("\n\n")[0]
    words = shlex.split(second)
    assert words[:2] == ["scaffold", "new"]
    assert "--framework django" in second
    assert "--database postgresql --ci github" in " ".join(words)
    with Terminal(checkout, tmp_path, *words[1:], *QUIET[1:]) as terminal:  # as it stands there
        for question in (FIELDS[0], FIELDS[1], FIELDS[2], FIELDS[5]):
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
    assert answers_of(tmp_path / words[2])["framework"] == "django"


def test_another_than_the_two_can_be_picked(checkout: Checkout, tmp_path: Path) -> None:
    given = ("--talk", "live", "--size", "small", "--data", "yes", "--load", "nothing")
    rest = ("--contract", "plain", "--team", "any", "--description", "x", "--author", "y")
    with Terminal(checkout, tmp_path, *QUIET, "my-svc", *given, *rest) as terminal:
        terminal.answer("Which one do you want to generate first?", "5")
        for question in (FIELDS[0], *FIELDS[3:]):
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
        assert "the second service" not in terminal.text
    assert answers_of(tmp_path / "my-svc")["framework"] == "flask"


def test_only_what_is_not_given_is_asked(checkout: Checkout, tmp_path: Path) -> None:
    given = ("my-svc", "--framework", "flask", "--description", "x", "--author", "y")
    with Terminal(checkout, tmp_path, *QUIET, *given, "--database", "sqlite") as terminal:
        terminal.answer(FIELDS[0], ENTER)
        terminal.answer(FIELDS[4], "2")
        terminal.answer(FIELDS[5], ENTER)
        assert terminal.end() == 0
        assert not any(question in terminal.text for question in (NAME, *WORKLOAD, WHICH))
    assert answers_of(tmp_path / "my-svc")["ci"] == "gitlab"


def test_defaults_and_json_never_ask_even_on_a_terminal(checkout: Checkout, tmp_path: Path) -> None:
    for number, flags in enumerate((("--defaults",), ("--json", "--framework", "flask"))):
        with Terminal(checkout, tmp_path, *QUIET, f"svc-{number}", *flags) as terminal:
            assert terminal.end() == 0
    with Terminal(checkout, tmp_path, "advise", "--json", columns=200) as terminal:
        assert terminal.end() == 0
        assert len(json.loads(COLOUR.sub("", terminal.written))["ranking"]) == 9


def test_a_name_that_would_not_work_is_asked_again_with_one_that_does(
    checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with Terminal(checkout, tmp_path, *QUIET, "--framework", "flask", columns=120) as terminal:
        terminal.try_answer(
            NAME, "class" + ENTER, '"class" is not available: it is a Python keyword.'
        )
        terminal.wait_for("class-service")
        terminal.try_answer(NAME, "\x15taken" + ENTER, '"taken" is not available: ')
        terminal.wait_for("is not empty")
        terminal.try_answer(NAME, "\x15flask" + ENTER, "a dependency of the service has that name")
        terminal.answer(NAME, ENTER)
        for question in FIELDS:
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
    assert (tmp_path / "flask-service" / "README.md").exists()


@pytest.mark.parametrize("stop", [CTRL_C, signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=repr)
@pytest.mark.parametrize("question", [NAME, WORKLOAD[0]])
def test_giving_up_leaves_nothing_and_says_so(
    checkout: Checkout, tmp_path: Path, stop: str | signal.Signals, question: str
) -> None:
    name = () if question == NAME else ("my-svc",)
    with Terminal(checkout, tmp_path, *QUIET, *name) as terminal:
        terminal.wait_for(question)
        if isinstance(stop, str):
            terminal.send(stop)
        else:
            terminal.signal(stop)
        assert terminal.end() == 130
        assert "scaffold: Interrupted. Nothing was written." in terminal.text.splitlines()
        assert "Traceback" not in terminal.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=repr)
def test_a_signal_in_the_midst_of_a_drawing_does_not_tear_it(stop: signal.Signals) -> None:
    class Tearing(io.StringIO):
        def write(self, text: str) -> int:
            half = len(text) // 2
            came = "Large" in self.getvalue()
            wrote = super().write(text[:half])
            if not came and "Large" in text:
                signal.raise_signal(stop)
            return wrote + super().write(text[half:])

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    drawn = Tearing()
    output = Vt100_Output(drawn, lambda: Size(rows=40, columns=80), enable_cpr=False)
    menus = MenuPrompter(lambda _line: None, View(width=80, colour=False, drawing=True))
    sizes = [Choice("small", "Small", "Fits a table."), Choice("large", "Large", "Does not.")]
    before = signal.signal(stop, give_up)
    try:
        with (
            create_pipe_input() as keys,
            create_app_session(keys, output),
            pytest.raises(KeyboardInterrupt),
        ):
            menus.choose(Heading("How big?", "Think of next year."), sizes, "small")
    finally:
        signal.signal(stop, before)
    screen = pyte.Screen(80, 40)
    pyte.Stream(screen).feed(drawn.getvalue())
    assert "Large" in drawn.getvalue()
    assert not "".join(screen.display).strip()  # what was asked is gone, and nothing cut remains


def test_the_end_of_the_input_is_giving_up(checkout: Checkout, tmp_path: Path) -> None:
    with Terminal(checkout, tmp_path, *QUIET) as terminal:
        terminal.wait_for(NAME)
        terminal.send(CTRL_D)
        assert terminal.end() == 130


def test_forty_columns_are_enough(checkout: Checkout, tmp_path: Path) -> None:
    with Terminal(checkout, tmp_path, *QUIET, columns=40) as terminal:
        terminal.answer(NAME, "my-svc" + ENTER)
        terminal.wait_for("Messages from other services (RPC, events)")
        for question in WORKLOAD:
            terminal.answer(question, "2")
        terminal.wait_for("Which one do you want to generate first?")
        # whatever is cut would lack its end
        terminal.wait_for("Ctrl-C cancels and leaves nothing behind.")
        terminal.wait_for("keeps thousands of connections open")
        terminal.wait_for("(no template yet)")
        terminal.send(CTRL_C)
        assert terminal.end() == 130


def test_no_color_means_none(checkout: Checkout, tmp_path: Path) -> None:
    given = (*QUIET, "my-svc", "--framework", "flask_restful")
    kinds: list[tuple[dict[str, str], bool]] = [({}, True), ({"NO_COLOR": "1"}, False)]
    for environment, coloured in kinds:
        with Terminal(checkout, tmp_path, *given, environment=environment) as terminal:
            for question in FIELDS:
                terminal.answer(question, ENTER)
            assert terminal.end() == 0
            codes = set(COLOUR.findall(terminal.written))
            assert bool(codes & {"\x1b[32m", "\x1b[33m"}) == coloured
            colours = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])(?:;[0-9;]*)?m")
            assert bool(any(colours.fullmatch(code) for code in codes)) == coloured
        (tmp_path / "my-svc").rename(tmp_path / f"was-{coloured}")


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_dumb_terminal_gets_plain_lines(checkout: Checkout, tmp_path: Path, kind: str) -> None:
    with Terminal(checkout, tmp_path, *QUIET, environment={"TERM": kind}) as terminal:
        terminal.wait_for("Type a number and press Enter")
        terminal.wait_for(f"{NAME} Lower-case letters")
        terminal.send("my-svc\r")
        terminal.wait_for("1. Plain HTTP")
        terminal.send("9\r")
        terminal.wait_for("Type one of 1, 2, 3.")
        for _ in WORKLOAD:
            terminal.send("\r")
        terminal.wait_for(WHICH)
        terminal.send("2\r")
        terminal.wait_for(FIELDS[0])
        terminal.send("\r")
        terminal.wait_for(FIELDS[1])
        terminal.send("It works\r\r")
        terminal.wait_for("2. PostgreSQL")
        terminal.send("2\r\r\r")
        assert terminal.end() == 0
        assert "\x1b" not in terminal.written
    answers = answers_of(tmp_path / "my-svc")
    assert (answers["framework"], answers["description"]) == ("flask_restful", "It works")
    assert (answers["author"], answers["database"]) == ("", "postgresql")


def test_advise_asks_the_workload_and_ranks(checkout: Checkout, tmp_path: Path) -> None:
    with Terminal(checkout, tmp_path, "advise") as terminal:
        terminal.answer(WORKLOAD[0], "3")
        for question in WORKLOAD[1:]:
            terminal.answer(question, ENTER)
        assert terminal.end() == 0
        assert "Best match: Nameko (62 %)" in terminal.text
        assert (
            "The article does not recommend these for RPC and events between services:"
            in terminal.text
        )
