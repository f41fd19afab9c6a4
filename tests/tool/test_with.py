"""What a service has besides: any number of answers to one question, by every way to give them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.answers import answers
from scaffold.catalog import record
from scaffold.catalog.catalog import Catalog, Option, Question
from scaffold.errors import BadAnswers
from scaffold.terminal.prompts import Choice, Heading, LinePrompter
from scaffold.terminal.view import Terminal as View
from tests.services import render
from tests.tool.conftest import Checkout
from tests.tool.terminal import ENTER, Terminal
from tests.tool.test_wizard import FIELDS

QUESTION = "Which optional features should it have?"
FILE = "src/my_svc/auth.py"
OPTIONS = tuple(Option(one, one.title(), {}) for one in ("auth", "tracing", "calls"))
THREE = Question("with", QUESTION, "", [], OPTIONS, multiple=True)
LINE = ("--framework", "flask", "--defaults")


def recorded(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((folder / record.ANSWERS_FILE).read_text())
    return loaded


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("", []),
        ([], []),
        ("auth", ["auth"]),
        (" calls , auth,", ["auth", "calls"]),
        (["tracing,auth", "auth"], ["auth", "tracing"]),
    ],
)
def test_commas_and_lists_come_to_the_same_in_one_order(value: object, taken: list[str]) -> None:
    assert answers.choices_in(THREE, value) == taken


@pytest.mark.parametrize("value", [5, True, {"auth": True}, ["auth", 1], [["auth"]]])
def test_what_is_no_list_of_words_is_refused(value: object) -> None:
    with pytest.raises(BadAnswers, match="with must be a list of any of these: auth, tracing"):
        answers.choices_in(THREE, value)


def test_each_word_that_is_no_choice_is_named() -> None:
    with pytest.raises(BadAnswers) as told:
        answers.choices_in(THREE, "autj,auth,zzz")
    assert str(told.value).splitlines() == [
        '"autj" is not a valid answer to with. Choose from auth, tracing, calls. '
        'Did you mean "auth"?',
        '"zzz" is not a valid answer to with. Choose from auth, tracing, calls.',
    ]


@pytest.mark.parametrize("flags", [("--with", "auth"), ("--with", "auth,auth", "--with", "auth")])
def test_a_flag_gives_it(checkout: Checkout, tmp_path: Path, flags: tuple[str, ...]) -> None:
    ran = checkout.new("my-svc", *LINE, *flags, "--json", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert FILE in ran.json["files"]
    assert recorded(tmp_path / "my-svc")["with"] == ["auth"]
    assert " --with auth " in ran.json["command"]
    again = shlex.split(ran.json["command"])[1:]
    (tmp_path / "again").mkdir()
    assert (
        checkout.scaffold(*again, "--json", cwd=tmp_path / "again").json["files"]
        == (ran.json["files"])
    )


@pytest.mark.parametrize("text", ["with: [auth]", "with: auth", "with:\n  - auth\n"])
def test_a_file_gives_it_and_a_flag_counts_more(
    checkout: Checkout, tmp_path: Path, text: str
) -> None:
    (tmp_path / "answers.yml").write_text(text)
    given = (*LINE, "--answers", "answers.yml", "--dry-run", "--json")
    assert FILE in checkout.new("my-svc", *given, cwd=tmp_path).json["files"]
    assert FILE not in checkout.new("my-svc", *given, "--with", "", cwd=tmp_path).json["files"]


def test_a_file_that_gives_something_else_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text(json.dumps({"with": {"auth": True}}))
    ran = checkout.new("my-svc", *LINE, "--answers", "answers.json", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "with must be a list of any of these: auth" in ran.err


def test_the_record_of_a_service_is_an_answers_file(checkout: Checkout, tmp_path: Path) -> None:
    assert checkout.new("my-svc", *LINE, "--with", "auth", cwd=tmp_path).code == 0
    given = ("--answers", f"my-svc/{record.ANSWERS_FILE}", "--output", "other", "--json")
    assert FILE in checkout.new(*given, cwd=tmp_path).json["files"]


def test_without_it_nothing_is_recorded(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.new("my-svc", *LINE, "--json", cwd=tmp_path)
    assert FILE not in ran.json["files"]
    assert "with" not in recorded(tmp_path / "my-svc")
    assert "--with" not in ran.json["command"]


def test_a_person_ticks_it(checkout: Checkout, tmp_path: Path) -> None:
    given = ("new", "my-svc", *LINE[:2], "--no-lock", "--no-git")
    with Terminal(checkout, tmp_path, *given, columns=100) as terminal:
        for question in FIELDS[: FIELDS.index(QUESTION)]:
            terminal.answer(question, ENTER)
        terminal.wait_for("Press Space or a number to select.")
        terminal.wait_for("○ 1 Sign-in: bearer tokens")
        terminal.send("1")
        terminal.wait_for("● 1 Sign-in")
        terminal.send(" ")
        terminal.wait_for("○ 1 Sign-in")
        terminal.send(" ")
        terminal.wait_for("● 1 Sign-in")
        terminal.send(ENTER)
        terminal.wait_for(f"✓ {QUESTION} Sign-in")
        assert terminal.end() == 0
    assert recorded(tmp_path / "my-svc")["with"] == ["auth"]


def test_without_a_cursor_the_numbers_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    prompter = LinePrompter(said.append, View(width=80, colour=False, drawing=False))
    choices = [Choice(one.id, one.label) for one in OPTIONS]
    closed = [*choices[:2], Choice("calls", "Calls", disabled="not today")]
    for typed, taken in (("", []), ("2", ["tracing"]), ("3, 1", ["auth", "calls"])):
        monkeypatch.setattr("builtins.input", lambda _prompt, typed=typed: typed)
        assert prompter.choose_several(Heading(QUESTION), choices) == taken
    lines = iter(["3", "4,x", "1 2"])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(lines))
    assert prompter.choose_several(Heading(QUESTION), closed) == ["auth", "tracing"]
    assert said[-2:] == ["Type any of 1, 2, separated by commas, or nothing."] * 2
    assert "  3. Calls (not today)" in said


def test_a_service_that_records_none_has_none_and_is_not_asked(known: Catalog) -> None:
    recorded = {"name": "my-svc", "framework": "flask", "database": "sqlite"}
    kept, missing = answers.carry_over(known.fields, recorded, {})
    assert "with" not in kept
    assert "with" not in [question.id for question in missing]
    assert answers.carry_over(known.fields, recorded, {"with": ["auth"]})[0]["with"] == ["auth"]
    assert answers.carry_over(known.fields, recorded | {"with": ["auth"]}, {})[0]["with"] == [
        "auth"
    ]


def test_an_answer_that_is_gone_is_named(known: Catalog) -> None:
    with pytest.raises(BadAnswers, match=r'"chat" is not a valid answer to with\. .* Pass --with'):
        answers.carry_over(known.fields, {"with": ["auth", "chat"]}, {})


def test_without_it_a_service_is_what_the_defaults_give(tmp_path: Path) -> None:
    """As it was before the question came, which the examples show for every framework."""
    usual, none = tmp_path / "usual", tmp_path / "none"
    render("falcon", usual)
    render("falcon", none, **{"with": []})
    files = {path.relative_to(usual) for path in usual.rglob("*") if path.is_file()}
    assert files == {path.relative_to(none) for path in none.rglob("*") if path.is_file()}
    for file in files - {Path(record.ANSWERS_FILE)}:  # it has the address of the templates
        assert (usual / file).read_bytes() == (none / file).read_bytes(), file
    assert "with" not in recorded(usual).keys() | recorded(none).keys()
