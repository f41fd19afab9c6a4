"""What was not said is asked at a terminal, completed by a shell, and named elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pytest

from scaffold.growing import changes
from scaffold.growing.changes import Change, Resources
from scaffold.resources import short_form
from scaffold.terminal.conversation import Conversation
from scaffold.terminal.missing import Questions
from scaffold.terminal.prompts import Choice, Heading
from scaffold.terminal.view import Terminal
from tests.growing.services import Service
from tests.growing.test_commands import is_as_committed, record
from tests.services import REPOSITORY
from tests.tool.conftest import Checkout
from tests.tool.lineage import SOMEBODY
from tests.tool.terminal import CTRL_C, DOWN, ENTER
from tests.tool.terminal import Terminal as Screen

ENVIRONMENT = SOMEBODY | {"PATH": os.environ["PATH"]}


def terminal(service: Service, *arguments: str) -> Screen:
    return Screen(Checkout(REPOSITORY), service.folder, *arguments, environment=ENVIRONMENT)


class Typed:
    """A prompter that is told beforehand what a person does."""

    hint = ""
    edits = True

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def choose(self, heading: Heading, choices: Sequence[Choice], default: str) -> str:
        self.asked.append(heading.ask)
        taken = self.answers.pop(0)
        assert {taken, default} <= {choice.id for choice in choices}
        return taken

    def write(self, heading: Heading, typed: str = "") -> str:
        self.asked.append(heading.ask)
        return typed + self.answers.pop(0)

    def note(self, _heading: Heading, _answer: str, /) -> str:
        return ""


def test_only_what_is_missing_is_asked_until_it_would_work() -> None:
    resources = short_form.parse_all(("room name:str seats:int", "booking room:ref"))
    view = Terminal(width=80, colour=False, drawing=False)
    said: list[str] = []

    def complete(prompter: Typed, change: Callable[..., Change], **given: str | None) -> object:
        judge = partial(_judged, change, resources)
        conversation = Conversation(prompter, said.append)
        return Questions(conversation, view, resources, judge).complete(given)

    wanted = {"name": "room", "declaration": "vip:bool:optional"}
    typed = Typed("vip:bool", ":optional")
    assert complete(typed, changes.add_field, name="room", declaration=None) == wanted
    assert "Make it optional" in " ".join(" ".join(said).split())
    assert typed.asked == ["What is the new field?"] * 2
    wanted = {"name": "room", "field_name": "seats"}
    typed = Typed("room", "seats")
    assert complete(typed, changes.remove_field, name=None, field_name=None) == wanted


def _judged(change: Callable[..., Change], resources: Resources, given: Mapping[str, str]) -> None:
    change(resources, **given)


@pytest.mark.slow
def test_a_field_is_asked_for_until_it_would_work(service: Service) -> None:
    with terminal(service, "add", "field", "--no-lock") as screen:
        screen.wait_for("Which resource?")
        screen.send(DOWN + ENTER)
        screen.wait_for("What is the new field?")
        screen.send("vip:bool" + ENTER)
        screen.wait_for("Make it optional or give it a default.")
        screen.send(":default=true" + ENTER)
        assert screen.end() == 0
        assert "Add vip to bookings" in screen.text
    declared = record(service)["resources"]
    assert isinstance(declared, list)
    assert [field["name"] for field in declared[1]["fields"]] == ["room", "vip"]


@pytest.mark.slow
def test_a_resource_is_asked_for(service: Service) -> None:
    with terminal(service, "add", "resource", "--no-lock") as screen:
        screen.wait_for("What is the new resource?")
        screen.send("guest name:str" + ENTER)
        assert screen.end() == 0
        assert "Create guests" in screen.text


@pytest.mark.slow
def test_giving_up_changes_nothing(service: Service) -> None:
    with terminal(service, "remove", "field") as screen:
        screen.wait_for("Which resource?")
        screen.send(ENTER)
        screen.wait_for("Which field?")
        screen.send(CTRL_C)
        assert screen.end() == 130
    assert is_as_committed(service)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("add", "resource"), "scaffold add resource 'booking guest:str'"),
        (("add", "field", "room"), "scaffold add field RESOURCE 'vip:bool:default=false'"),
        (("remove", "resource"), "scaffold remove resource NAME"),
        (("remove", "field", "room"), "scaffold remove field RESOURCE NAME"),
    ],
)
def test_without_a_terminal_the_command_that_would_work_is_named(
    template: Service, command: tuple[str, ...], told: str
) -> None:
    ran = template.run(*command, "--json")
    assert ran.code == 2
    assert ran.json["error"]["kind"] == "missing-answers"
    assert told in ran.json["error"]["message"]


@pytest.mark.parametrize("words", ["remove resource ", "add field "])
def test_a_shell_completes_the_resources_of_the_service(template: Service, words: str) -> None:
    line = f"scaffold {words}"
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()))}
    checkout = Checkout(REPOSITORY)
    ran = checkout.scaffold(cwd=template.folder, _SCAFFOLD_COMPLETE="complete_bash", **asked)
    assert (ran.code, ran.out.split(), ran.err) == (0, ["room", "booking"], "")
