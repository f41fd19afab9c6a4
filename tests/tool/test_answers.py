"""What is taken as an answer, what is refused, and in which words."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scaffold import documents, schema
from scaffold.answers import answers
from scaffold.catalog.catalog import Catalog
from scaffold.errors import (
    BadAnswers,
    BadAnswersFile,
    BadName,
    MissingAnswers,
    NoTemplate,
    SplitWorkload,
)

FINE = [
    "",
    "Keeps “stock”",
    "naïve café",
    "日本語の説明",
    "שלום",
    "👩‍👩‍👧",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "می‌خواهم",
    "a" * 200,
]
REFUSED = {
    "a" * 201: "it is longer than 200 characters",
    "two\nlines": "it contains the unprintable character U+000A",
    "a\ttab": "it contains the unprintable character U+0009",
    "bell\x07": "it contains the unprintable character U+0007",
    "delete\x7f": "it contains the unprintable character U+007F",
    "next\x85line": "it contains the unprintable character U+0085",
    "line\u2028separator": "it contains the unprintable character U+2028",
    "half\ud800": "it contains the unprintable character U+D800",
    "turned\u202eround": "it contains the unprintable character U+202E",
    "mark\ufeff": "it contains the unprintable character U+FEFF",
    "never\uffff": "it contains the unprintable character U+FFFF",
}


@pytest.mark.parametrize("text", FINE)
def test_any_printable_text_is_taken(text: str) -> None:
    assert answers.text_problem(text) is None


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=ascii)
def test_text_that_cannot_be_printed_is_refused(text: str, why: str) -> None:
    assert answers.text_problem(text) == why


@given(st.text(max_size=200))
def test_text_that_is_taken_survives_every_file_type(text: str) -> None:
    if answers.text_problem(text) is None:
        quoted = json.dumps(text, ensure_ascii=False)
        assert tomllib.loads(f"text = {quoted}")["text"] == text
        assert yaml.safe_load(f"text: {quoted}")["text"] == text
        assert eval(quoted, {}) == text
        assert text.encode().decode() == text


def test_all_that_is_wrong_is_named_at_once(known: Catalog) -> None:
    given = {
        "name": "class",
        "framework": "flaks",
        "database": "postgre",
        "ci": "circle",
        "author": "a\x00b",
        "talk": "loudly",
    }
    frameworks = ", ".join(framework.id for framework in known.frameworks)
    with pytest.raises(BadAnswers) as told:
        answers.check(known, given)
    assert str(told.value).splitlines() == [
        '"class" is not a valid service name: it is a Python keyword. Try "class-service".',
        f'"flaks" is not a valid answer to framework. Choose from {frameworks}. '
        'Did you mean "flask"?',
        '"a\\x00b" is not a valid author: it contains the unprintable character U+0000.',
        '"postgre" is not a valid answer to database. Choose from sqlite, postgresql. '
        'Did you mean "postgresql"?',
        '"circle" is not a valid answer to ci. Choose from github, gitlab, none.',
        '"loudly" is not a valid answer to talk. Choose from http, live, messages.',
    ]


def test_one_problem_alone_keeps_its_kind(known: Catalog) -> None:
    with pytest.raises(BadName):
        answers.check(known, {"name": "class", "ci": "none"})


def test_a_framework_without_a_template_is_refused_with_those_that_have_one(
    small: Catalog,
) -> None:
    with pytest.raises(NoTemplate) as told:
        answers.check(small, {"framework": "sanic"})
    assert str(told.value) == (
        "Sanic has no template yet. Available: flask, tornado, flask_restful."
    )


# ---- a file of answers


def read(known: Catalog, folder: Path, content: bytes | str) -> dict[str, str]:
    path = folder / "answers.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return answers.collect(known, path, {})


def test_plain_values_are_text_as_they_are_written(known: Catalog, tmp_path: Path) -> None:
    content = "name: my-svc\ndata: no\ndescription: 2024-01-01\nauthor: 007\nci: none\n"
    assert read(known, tmp_path, content) == {
        "name": "my-svc",
        "data": "no",
        "description": "2024-01-01",
        "author": "007",
        "ci": "none",
    }


@pytest.mark.parametrize("content", ["", "---\n", "# nothing\n", "{}"])
def test_an_empty_file_answers_nothing(known: Catalog, tmp_path: Path, content: str) -> None:
    assert read(known, tmp_path, content) == {}


def test_json_and_the_answers_of_a_made_service_are_read(known: Catalog, tmp_path: Path) -> None:
    given = {"_commit": "v1", "_src_path": "x", "name": "my-svc", "author": 'Zoë \\ "q" 💚'}
    expected = {key: value for key, value in given.items() if not key.startswith("_")}
    assert read(known, tmp_path, json.dumps(given)) == expected


BOMB = "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nname: *c\n"
UNREADABLE = {
    "- a\n- b\n": "must be a mapping of questions to answers.",
    "just text": "must be a mapping of questions to answers.",
    "a: [": "is not valid YAML: ",
    "a: 1\n---\nb: 2\n": "is not valid YAML: ",
    BOMB: "uses a YAML alias; write the answer out instead.",
    "<<: *x\n": "uses a YAML alias; write the answer out instead.",
    "{" + "a," * 20000 + "}": "has more than 35000 values and brackets.",
    "name: " + "[" * 20000: "is nested more than 8 levels deep.",
    "name: " + "{a: " * 9000: "is nested more than 8 levels deep.",
    "name: " + "x" * 280000: "is larger than 256 KiB.",
}


@pytest.mark.parametrize(("content", "why"), UNREADABLE.items(), ids=lambda text: text[:12])
def test_a_file_that_cannot_be_answers_is_refused_in_one_sentence(
    known: Catalog, tmp_path: Path, content: str, why: str
) -> None:
    with pytest.raises(BadAnswersFile) as told:
        read(known, tmp_path, content)
    assert f"{tmp_path / 'answers.yml'} {why}" in str(told.value)
    assert "\n" not in str(told.value)


def test_bytes_that_are_no_text_are_refused(known: Catalog, tmp_path: Path) -> None:
    with pytest.raises(BadAnswersFile, match=r"answers.yml is not UTF-8 \(byte 6\)\.$"):
        read(known, tmp_path, b"name: \xff\xfe")


def test_a_byte_order_mark_does_no_harm(known: Catalog, tmp_path: Path) -> None:
    assert read(known, tmp_path, b"\xef\xbb\xbfname: my-svc\n") == {"name": "my-svc"}


def test_a_file_that_is_not_there_is_told(known: Catalog, tmp_path: Path) -> None:
    with pytest.raises(BadAnswersFile, match="cannot be read: No such file or directory"):
        answers.collect(known, tmp_path / "none.yml", {})
    with pytest.raises(BadAnswersFile, match="cannot be read: Is a directory"):
        answers.collect(known, tmp_path, {})


def test_every_line_that_is_wrong_is_named_at_once(known: Catalog, tmp_path: Path) -> None:
    content = (
        "databse: sqlite\nzzz: 1\nname: a\nname: b\nci: [github]\nauthor: null\n"
        "team: !!python/name:os.system x\n? [a]\n: b\n"
    )
    with pytest.raises(BadAnswersFile) as told:
        read(known, tmp_path, content)
    path = tmp_path / "answers.yml"
    assert str(told.value).splitlines() == [
        f'{path}: "name" is answered twice.',
        f'{path}: "ci" must be text, not a list or a mapping.',
        f'{path}: "author" must be text, not null.',
        f'{path}: "team" must be plain text, without a YAML tag.',
        f"{path}: line 8: the name of a question must be one word.",
        f'{path}: unknown question "databse". Did you mean "database"?',
        f'{path}: unknown question "zzz". Choose from name, framework, resources, description, '
        "author, database, ci, with, talk, size, data, load, contract, team.",
    ]


def test_what_is_wrong_in_the_file_and_in_the_flags_is_named_together(
    known: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "answers.yml"
    path.write_text("databse: sqlite\nname: class\nauthor: [x]\nci: circle\nframework: flaks\n")
    with pytest.raises(BadAnswers) as told:
        answers.collect(known, path, {"framework": "flask", "size": "tiny", "team": None})
    assert type(told.value) is BadAnswers
    assert str(told.value).splitlines() == [
        f'{path}: "author" must be text, not a list or a mapping.',
        f'{path}: unknown question "databse". Did you mean "database"?',
        '"class" is not a valid service name: it is a Python keyword. Try "class-service".',
        '"circle" is not a valid answer to ci. Choose from github, gitlab, none.',
        '"tiny" is not a valid answer to size. Choose from small, grows, large, unsure.',
    ]


def test_a_flag_counts_more_than_the_file(known: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "answers.yml"
    path.write_text("name: class\nci: none\n")
    assert answers.collect(known, path, {"name": "my-svc", "author": None}) == {
        "name": "my-svc",
        "ci": "none",
    }


def test_a_file_full_of_mistakes_is_answered_with_twenty_of_them(
    known: Catalog, tmp_path: Path
) -> None:
    with pytest.raises(BadAnswersFile) as told:
        read(known, tmp_path, "".join(f"key{n}: 1\n" for n in range(5000)) + "key1: 2\n")
    lines = str(told.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "And 4981 more problems."


def test_no_mistake_reaches_the_terminal_as_more_than_text(known: Catalog, tmp_path: Path) -> None:
    with pytest.raises(BadAnswersFile) as told:
        read(known, tmp_path, r"""{"\e[31m": 1, "\e[31m": 2, "\ename": [1], "a\nb": 3}""")
    assert len(str(told.value).splitlines()) == 4
    assert all(line.isprintable() for line in str(told.value).splitlines())
    with pytest.raises(
        BadAnswersFile, match=r"the character U\+001B, which is not allowed\.$"
    ) as raw:
        read(known, tmp_path, "name: \x1b[31m")
    assert str(raw.value).isprintable()
    with pytest.raises(BadAnswersFile) as missing:
        answers.collect(known, tmp_path / "a\n\x1b[31mb", {})
    assert str(missing.value) == (
        f'"{tmp_path}/a\\n\\x1b[31mb" cannot be read: No such file or directory.'
    )


# Each took, or would take, much of the time or the memory of a reader without bounds.
SLOW_TO_READ = {
    "many questions": "".join(f"k{n}: 1\n" for n in range(14000)),
    "one question often": "{" + "a," * 64000 + "}",
    "one long value in many lines": "a: " + "\n  x" * 32000,
    "keys in keys": "? " * 64000,
    "lists in lists": "- " * 64000,
    "a quote that never ends": '"' + "a: " * 40000,
    "a block of nothing": "name: |\n" + " \n" * 60000,
    "a key of many words": "a b c " * 20000 + ":",
    "a long tag": "!" * 120000,
    "directives": "%YAML 1.1\n" * 12000,
    "anchors": "".join(f"k{n}: &a{n} x\n" for n in range(8000)),
    "escapes": '{"name": "' + "\\u0041" * 20000 + '"}',
    "many resources": "resources: [" + "a," * 64000 + "]",
    "a resource of many fields": "resources: [{name: a, fields: [" + "a," * 60000 + "]}]",
    "a field of many keys": f"resources: {{{''.join(f'k{n}: 1,' for n in range(12000))}}}",
}


@pytest.mark.parametrize("content", SLOW_TO_READ.values(), ids=SLOW_TO_READ)
def test_no_file_keeps_the_reader_busy(known: Catalog, tmp_path: Path, content: str) -> None:
    began = time.process_time()
    with pytest.raises(BadAnswers):
        read(known, tmp_path, content)
    assert time.process_time() - began < 5


@given(st.binary(max_size=300))
def test_no_bytes_bring_the_reader_down(content: bytes) -> None:
    try:
        found, problems = documents.answers_in(content, "it", data=("a",))
    except BadAnswersFile:
        return
    assert all(isinstance(value, str) for key, value in found.items() if key != "a")
    assert all(problem.endswith(".") for problem in problems)


# ---- where nobody can be asked


def test_what_is_missing_is_named_with_the_command_that_would_work(known: Catalog) -> None:
    with pytest.raises(MissingAnswers) as told:
        answers.resolve(known, {}, defaults=False, maintained=False)
    assert str(told.value) == (
        "Cannot prompt here; missing: name and framework (pass --framework, or a workload "
        "flag such as --talk to have one chosen). Try: scaffold new my-svc --defaults"
    )
    given = {"framework": "flask", "author": "The team"}
    with pytest.raises(MissingAnswers) as told:
        answers.resolve(known, given, defaults=False, maintained=False)
    assert str(told.value) == (
        "Cannot prompt here; missing: name. "
        "Try: scaffold new my-svc --framework flask --author 'The team'"
    )


def test_a_workload_chooses_its_framework(small: Catalog) -> None:
    given = {"name": "my-svc", "talk": "live"}
    assert answers.resolve(small, given, defaults=False, maintained=False) == {
        **given,
        "framework": "tornado",
    }
    by_default = answers.resolve(small, {"name": "my-svc"}, defaults=True, maintained=False)
    assert by_default["framework"] == "flask"


def test_two_services_are_not_made_as_one(small: Catalog) -> None:
    given = {"name": "my-svc", "talk": "live", "data": "yes"}
    with pytest.raises(SplitWorkload) as told:
        answers.resolve(small, given, defaults=False, maintained=False)
    assert str(told.value) == (
        "This workload needs two services, Django with DRF and Tornado. "
        "Choose one: --framework django or --framework tornado."
    )


def test_the_best_that_has_a_template_is_offered_never_taken_in_silence(small: Catalog) -> None:
    with pytest.raises(NoTemplate) as told:
        answers.resolve(small, {"name": "my-svc", "load": "rate"}, defaults=True, maintained=False)
    assert str(told.value) == (
        "Falcon has no template yet. The next best match is Flask. "
        "To generate that: scaffold new my-svc --framework flask"
    )
    rpc = {"name": "my-svc", "talk": "messages", "size": "unsure"}
    with pytest.raises(NoTemplate) as told:
        answers.resolve(small, rpc, defaults=False, maintained=False)
    assert str(told.value) == (
        "Nameko has no template yet. The next best match is Tornado, though it is not designed "
        "for RPC and events between services. "
        "To generate that: scaffold new my-svc --framework tornado"
    )


def test_maintained_holds_for_the_choice_too(small: Catalog) -> None:
    given = {"name": "my-svc", "contract": "resources", "team": "flask"}
    free = answers.resolve(small, given, defaults=False, maintained=False)
    kept = answers.resolve(small, given, defaults=False, maintained=True)
    assert (free["framework"], kept["framework"]) == ("flask_restful", "flask")


def test_an_answer_that_a_release_no_longer_takes_is_told_with_the_flag_for_another(
    known: Catalog,
) -> None:
    with pytest.raises(BadAnswers) as told:
        answers.carry_over(known.fields, {"ci": "jenkins", "database": "mysql"}, {})
    assert str(told.value).splitlines() == [
        'Since the service was generated: "mysql" is not a valid answer to database. '
        "Choose from sqlite, postgresql. Pass --database with a valid one.",
        'Since the service was generated: "jenkins" is not a valid answer to ci. '
        "Choose from github, gitlab, none. Pass --ci with a valid one.",
    ]


# ---- the schema


def test_the_schema_and_the_questions_agree(known: Catalog) -> None:
    described = schema.questions(known)
    asked = {q.id: q for q in (*known.fields, *known.workload)}
    assert set(described["properties"]) == set(asked)
    for question_id, shape in described["properties"].items():
        question = asked[question_id]
        taken = shape["items"] if question.multiple else shape
        offered = [option["const"] for option in taken.get("oneOf", ())]
        assert shape.get("default") == asked[question_id].default
        default = shape.get("default")
        assert question.multiple or not offered or default is None or default in offered
        assert offered == list(question.choices)
        assert (shape["type"] == "array") == (question.is_declared or question.multiple)


def test_every_question_has_words_and_a_default_that_is_an_answer(known: Catalog) -> None:
    assert len(known.workload) <= 6
    for question in (*known.fields, *known.workload):
        assert question.ask.endswith("?")
        assert question.explain.endswith(".")
        assert question.default is not None or question.id == "name"
        assert "{{" not in str(question.default)
    answers.check(known, {q.id: q.default for q in known.workload if q.default})
