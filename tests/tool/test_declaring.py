"""Declarations on the command line: by flags, by a file, by a record; what is wrong is refused."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from jsonschema import Draft202012Validator

from scaffold import cli
from scaffold.answers import answers, declarations
from scaffold.catalog import record
from scaffold.catalog.catalog import Catalog
from scaffold.errors import BadAnswers
from scaffold.resources import long_form, short_form
from scaffold.resources.model import Resource
from tests.tool.conftest import REPOSITORY, Checkout, make_checkout
from tests.tool.declarations import declarations as drawn
from tests.tool.lineage import (
    FIRST,
    SECOND,
    SOMEBODY,
    Lineage,
    Owned,
    commit,
    git,
    install,
    set_version,
)
from tests.tool.test_cli import EXAMPLE
from tests.tool.test_resources_refused import wrong_declarations

ROOM = "room name:str:1..100:unique seats:int:1..500:default=2"
BOOKING = "booking room:ref guest:email starts_at:datetime:sort"
RICH = tuple(tomllib.loads((REPOSITORY / "templates/matrix.toml").read_text())["resources"]["rich"])
# What a shell, YAML, JSON and a template would each take for something else.
HOSTILE = (
    r"""note a:str:default="it's \"fine\" \\ $(id) `id` {{ 7 * 7 }}" """
    r"""b:str:default="{% raw %} <b> # : - null 💚" c:str:default="no" d:str:default="007" """
    "e:text:0..99:default='two\nlines\tand a tab' f:str:default=\"--json\" "
    "g:float:default=1e16 h:float:default=-0.0 i:decimal:default=1.50 "
    "j:date:default=2027-01-31 k:datetime:default='2027-01-31T09:30:00+02:00'"
)


def flags(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--resource", text)]


def long(*texts: str) -> list[dict[str, Any]]:
    return [long_form.to_data(resource) for resource in short_form.parse_all(texts)]


def recorded(service: Path) -> Any:
    return record.read(service).answers["resources"]


# ---- what is taken


def test_declarations_are_recorded_in_full_and_in_order(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.new("hotel", "--framework", "flask", *flags(ROOM, BOOKING), cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    text = (tmp_path / "hotel" / ".copier-answers.yml").read_text()
    assert recorded(tmp_path / "hotel") == yaml.safe_load(text)["resources"] == long(ROOM, BOOKING)
    assert list(recorded(tmp_path / "hotel")[0]["fields"][0]) == "name type min max unique".split()


def test_a_service_has_the_example_where_nothing_is_declared(
    checkout: Checkout, tmp_path: Path, known: Catalog
) -> None:
    (question,) = (question for question in known.fields if question.is_declared)
    assert question.default == [EXAMPLE] == declarations.loaded([EXAMPLE])
    declarations.check([EXAMPLE], answers.names_of_resources(known, None))
    item = "item name:str:1..100:unique quantity:int:0..1000000:default=0"
    for name, declared in (("said", flags(item)), ("silent", [])):
        ran = checkout.new(name, "--framework", "flask", *declared, cwd=tmp_path)
        assert recorded(tmp_path / name) == [EXAMPLE]
        assert "--resource" not in ran.out


@pytest.mark.parametrize("dump", [yaml.safe_dump, json.dumps], ids=["yaml", "json"])
def test_a_file_may_leave_out_what_has_a_default(
    checkout: Checkout, tmp_path: Path, dump: Any
) -> None:
    fields = [{"name": "title", "type": "str"}, {"name": "price", "type": "decimal"}]
    given = {"name": "shop", "framework": "flask"}
    resources = [{"name": "category", "fields": fields}]
    (tmp_path / "answers.yml").write_text(dump({**given, "resources": resources}))
    ran = checkout.new("--answers", "answers.yml", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert recorded(tmp_path / "shop") == long("category title:str price:decimal")


def test_a_file_is_read_as_yaml_1_2(checkout: Checkout, tmp_path: Path) -> None:
    """`no` is text and 1e3 a number, as in JSON and for a person; a date needs no quotes."""
    (tmp_path / "answers.yml").write_text(
        "framework: flask\nresources:\n- name: thing\n  fields:\n"
        "  - {name: a, type: enum, values: [yes, no, on, off], default: no}\n"
        "  - {name: b, type: float, max: 1e3, default: 2}\n"
        "  - {name: c, type: date, default: 2027-01-31}\n"
        "  - {name: d, type: str, default: 12:30}\n"
        "  - {name: e, type: bool, default: true}\n"
    )
    ran = checkout.new("shop", "--answers", "answers.yml", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert recorded(tmp_path / "shop") == long(
        "thing a:enum=yes,no,on,off:default=no b:float:..1000:default=2 "
        "c:date:default=2027-01-31 d:str:default='12:30' e:bool:default=true"
    )


def test_flags_replace_what_a_file_declares_even_if_that_is_wrong(
    checkout: Checkout, tmp_path: Path
) -> None:
    for declared in (long(BOOKING.replace("room:ref ", "")), "nonsense"):
        (tmp_path / "answers.json").write_text(
            json.dumps({"framework": "flask", "resources": declared})
        )
        ran = checkout.new("hotel", "--answers", "answers.json", *flags(ROOM), cwd=tmp_path)
        assert (ran.code, ran.err) == (0, "")
        assert recorded(tmp_path / "hotel") == long(ROOM)
        shutil.rmtree(tmp_path / "hotel")


def test_the_record_of_a_service_declares_another(checkout: Checkout, tmp_path: Path) -> None:
    checkout.new("one", "--framework", "flask", *flags(*RICH, HOSTILE), cwd=tmp_path)
    ran = checkout.new("two", "--answers", "one/.copier-answers.yml", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert recorded(tmp_path / "two") == recorded(tmp_path / "one") == long(*RICH, HOSTILE)


def test_twenty_resources_of_forty_fields_can_be_made_and_read_back(
    checkout: Checkout, tmp_path: Path
) -> None:
    fields = " ".join(f"a_field_of_forty_{number}:decimal:18.2:optional" for number in range(40))
    texts = [f"thing_{number} {fields}" for number in range(20)]
    (tmp_path / "answers.json").write_text(json.dumps({"resources": long(*texts)}))
    given = ("--framework", "flask", "--answers", "answers.json")
    ran = checkout.new("large", *given, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert recorded(tmp_path / "large") == long(*texts)


# ---- what comes back: the replay line, the file, the record


def replayed(line: str) -> list[str]:
    """The words that a shell makes of a command."""
    printed = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True
    )
    return printed.stdout.split("\0")[:-1]


def test_a_shell_takes_the_replay_line_back(checkout: Checkout, tmp_path: Path) -> None:
    given = ("--framework", "flask", *flags(HOSTILE, *RICH))
    first = checkout.new("hotel", *given, "--json", cwd=tmp_path).json["command"]
    before = recorded(tmp_path / "hotel")
    shutil.rmtree(tmp_path / "hotel")
    shell = f'scaffold() {{ {shlex.join(checkout.command)} "$@"; }}; {first}'
    ran = subprocess.run(
        ["sh", "-c", shell],
        cwd=tmp_path,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert recorded(tmp_path / "hotel") == before == long(HOSTILE, *RICH)
    assert ran.stdout.endswith(f"\n  {first}\n")


def test_a_dry_run_shows_the_line_and_writes_nothing(checkout: Checkout, tmp_path: Path) -> None:
    given = ("--framework", "flask", "--dry-run", *flags(ROOM))
    ran = checkout.new("hotel", *given, cwd=tmp_path)
    assert ran.code == 0
    short = "'room name:str:unique seats:int:1..500:default=2'"
    assert f"--ci github --resource {short} --no-lock --no-git --defaults" in ran.out
    assert "├── README.md" in ran.out
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named_with_the_declarations(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.scaffold("new", "hotel", "--resource", "room name:str", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.endswith("Try: scaffold new hotel --resource 'room name:str' --defaults\n")


def assert_all_ways_are_one(checkout: Checkout, resources: tuple[Resource, ...]) -> None:
    """By flags, by a file and by the replay line the same is recorded."""
    wanted = [long_form.to_data(resource) for resource in resources]
    assume(len(json.dumps(wanted, ensure_ascii=False).encode()) <= declarations.MAX_KIB * 1024)
    texts = [short_form.short_form(resource) for resource in resources]
    given = ("--framework", "flask", "--json")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ran = checkout.new("one", *given, *flags(*texts), cwd=folder)
        assert ran.code == 0, ran.out
        (folder / "answers.json").write_text(json.dumps({"resources": wanted}))
        ran = checkout.new("two", *given, "--answers", "answers.json", cwd=folder)
        assert ran.code == 0, ran.out
        words = replayed(ran.json["command"])
        assert words == shlex.split(ran.json["command"])
        three = ["three" if word == "two" else word for word in words[1:]]
        ran = checkout.scaffold(*three, cwd=folder)
        assert ran.code == 0, ran.err
        for service in ("one", "two", "three"):
            # Equal texts: 1 and true, or 0.0 and -0.0, are equal values.
            assert json.dumps(recorded(folder / service)) == json.dumps(wanted)


@settings(deadline=None, max_examples=8)
@given(drawn(max_resources=3, max_fields=6))
def test_whatever_is_declared_is_recorded_alike_by_every_way(
    checkout: Checkout, resources: tuple[Resource, ...]
) -> None:
    assert_all_ways_are_one(checkout, resources)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(drawn())
def test_whatever_is_declared_is_recorded_alike_by_every_way_at_length(
    checkout: Checkout, resources: tuple[Resource, ...]
) -> None:
    assert_all_ways_are_one(checkout, resources)


# ---- what is refused


@pytest.fixture
def read_once(known: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares each run the reading of the templates' data, which takes longer than all the rest."""
    monkeypatch.setattr(cli, "_templates", lambda *_: known)


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], folder: Path) -> Any:
    """The error of `new` for a Django service, told in one way as text and as JSON."""
    line = ["new", "hotel", "--framework", "django", f"--output={folder}", *arguments]
    assert cli.run(line) == 2
    told = capsys.readouterr()
    assert cli.run([*line, "--json"]) == 2
    in_json = capsys.readouterr()
    error: Any = json.loads(in_json.out)["error"]
    assert (told.out, told.err) == ("", f"scaffold: {error['message']}\n")
    assert (in_json.err, error["code"]) == ("", 2)
    assert list(folder.iterdir()) == []
    return error


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize(
    ("texts", "message"), list(wrong_declarations()), ids=lambda value: repr(value)[:50]
)
def test_a_wrong_declaration_is_refused_with_its_whole_message(
    texts: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    error = refused([f"--resource={text}" for text in texts], capsys, tmp_path)
    assert (error["kind"], error["message"]) == ("bad-answers", message)


TOO_LARGE = "note " + " ".join(f"a{n}:text:default={'x' * 10_000}" for n in range(10))
MANY: dict[str, tuple[list[str], str]] = {
    "nothing": ([""], 'Resource 1: The declaration is empty. Try "room name:str seats:int".'),
    "21 resources": (
        [f"thing_{number} a:int" for number in range(21)],
        "A service can have at most 20 resources, but 21 are declared. "
        "Remove 1 or split the service.",
    ),
    "41 fields": (
        ["room " + " ".join(f"field_{number}:int" for number in range(41))],
        'Resource 1 "room": A resource can have at most 40 fields, but 41 are declared. Move 1 to '
        "another resource that refers to it.",
    ),
    "too large": (
        [TOO_LARGE],
        "The declarations are 99 KiB long; the limit is 96 KiB. Shorten the defaults, or split the "
        "service.",
    ),
    "not UTF-8": (
        ["room a:str:default=\udcff"],
        'Resource 1 "room", field 1 "a": "\\udcff" is not a valid default for str: it must not '
        'contain the character U+DCFF. Try "blue".',
    ),
}


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize(("texts", "message"), MANY.values(), ids=MANY)
def test_too_much_or_nothing_is_refused(
    texts: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert refused(flags(*texts), capsys, tmp_path)["message"] == message


FIELD = "resources: [{name: room, fields: [{name: a, type: int"
FILES = {
    "resources:\n": '"resources" must be a list of resources, not null.',
    "resources: room a:int\n": '"resources" must be a list of resources, not text.',
    "resources: {room: {}}\n": '"resources" must be a list of resources, not a mapping.',
    "resources: [room]\n": (
        "Resource 1: A resource must be a mapping of name, plural and fields, not text."
    ),
    f"{FIELD}, type: str}}]}}]\n": (
        '"resources" has the key "type" again in line 1; remove one of them.'
    ),
    f"{FIELD}, [b]: 1}}]}}]\n": '"resources" has a key that is not one word in line 1.',
    f"{FIELD}, default: !!python/name:os.system x}}]}}]\n": (
        '"resources" has a YAML tag in line 1; remove it.'
    ),
    "resources: !!set {a}\n": '"resources" has a YAML tag in line 1; remove it.',
    f"{FIELD}, default: {'9' * 500}}}]}}]\n": (
        'Resource 1 "room", field 1 "a": "default" of int must be a whole number, not text.'
    ),
    f"{FIELD}, max: 1e999}}]}}]\n": (
        'Resource 1 "room", field 1 "a": "inf" is not a valid "max" for int: it must be a whole '
        "number."
    ),
    f"{FIELD}, mim: 1}}]}}]\n": (
        'Resource 1 "room", field 1 "a": Unknown key "mim". Did you mean "min"?'
    ),
}


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize(("content", "message"), FILES.items(), ids=lambda value: repr(value)[:60])
def test_a_wrong_file_is_refused_with_its_name(
    content: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "answers.yml"
    file.write_text(content)
    (tmp_path / "out").mkdir()
    error = refused(["--answers", str(file)], capsys, tmp_path / "out")
    assert (error["kind"], error["message"]) == ("bad-answers-file", f"{file}: {message}")


def test_names_are_judged_by_the_framework_that_the_workload_chooses(
    known: Catalog, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A message is nobody's but Django's."""
    given = {"name": "post", "framework": "falcon", "resources": long("message a:int")}
    assert answers.complete(known, given)["resources"] == given["resources"]
    line = ["new", "post", f"--output={tmp_path}", "--resource=message a:int", "--data", "yes"]
    assert cli.run(line) == 2
    assert "Django has an app of that name." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_all_that_is_wrong_is_named_together(known: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "answers.yml"
    file.write_text("ci: circle\nresources: [{name: Room, fields: []}, {name: x}]\n")
    with pytest.raises(BadAnswers) as told:
        answers.collect(known, file, {"name": "class", "resources": None})
    assert str(told.value).splitlines() == [
        f'{file}: Resource 1 "Room": "Room" is not a valid resource name: use lower-case letters, '
        'digits and single underscores, starting with a letter. Try "room".',
        f'{file}: Resource 2 "x": The key "fields" is missing. Add it.',
        '"class" is not a valid service name: it is a Python keyword. Try "class-service".',
        '"circle" is not a valid answer to ci. Choose from github, gitlab, none.',
    ]
    with pytest.raises(BadAnswers) as told:
        answers.collect(known, None, {"ci": "circle", "resources": ["room a:strr", "x y:z"]})
    assert len(str(told.value).splitlines()) == 3


# ---- the schema


def test_the_schema_of_answers_has_the_rules_of_declarations(
    checkout: Checkout, tmp_path: Path
) -> None:
    described = checkout.scaffold("schema", cwd=tmp_path).json
    shape = described["properties"]["resources"]
    Draft202012Validator.check_schema(described)
    assert shape["default"] == [EXAMPLE]
    assert shape["description"].startswith("What does it store? ")
    validator = Draft202012Validator(described)
    for texts in ((ROOM, BOOKING), RICH, (HOSTILE,)):
        validator.validate({"name": "hotel", "resources": long(*texts)})
    for wrong in ("room a:int", [], [{"name": "class", "fields": [{"name": "a", "type": "int"}]}]):
        assert not validator.is_valid({"name": "hotel", "resources": wrong})
    django = {"name": "note", "plural": "messages", "fields": [{"name": "a", "type": "int"}]}
    assert not validator.is_valid({"name": "hotel", "resources": [django]}), "it may be chosen"


# ---- the record of a service


@pytest.fixture
def hotel(lineage: Lineage, tmp_path: Path) -> Owned:
    """A service of the first release with resources of its own, where the second is installed."""
    made = lineage[FIRST].new("hotel", "--framework", "flask", *flags(*RICH, HOSTILE), cwd=tmp_path)
    assert made.code == 0, made.err
    git(tmp_path / "hotel", "init", "--quiet", "--initial-branch=main")
    commit(tmp_path / "hotel")
    return Owned(tmp_path / "hotel", lineage[SECOND])


def test_an_update_keeps_the_resources_and_a_check_knows_them(hotel: Owned) -> None:
    before = recorded(hotel.folder)
    ran = hotel.run("check", ".", "--json")
    assert (ran.code, ran.json["services"][0]["drift"]) == (5, [])
    ran = hotel.update("--json", "--ci", "gitlab")
    assert (ran.code, ran.json["conflicts"]) == (0, [])
    assert recorded(hotel.folder) == before == long(*RICH, HOSTILE)
    commit(hotel.folder)
    ran = hotel.run("check", ".", "--json")
    assert (ran.code, ran.json["services"][0]["drift"]) == (0, [])


def test_resources_are_no_answer_to_change_by_an_update(hotel: Owned) -> None:
    ran = hotel.update("--resource", "room a:int")
    assert (ran.code, hotel.state) == (2, "")
    assert "No such option: --resource" in ran.err


def broken(text: str) -> Iterator[tuple[str, str]]:
    """Records that somebody edited, and what is said of each."""
    kept = re.sub(r"(?ms)^resources:.*?(?=^\S|\Z)", "", text)
    yield f"{kept}resources: room\n", '"resources" must be a list of resources, not text.'
    yield (
        f"{kept}resources: [{{name: room, fields: [{{name: a, type: strr}}]}}]\n",
        'Resource 1 "room", field 1 "a": "strr" is not a type. Did you mean "str"?',
    )


def test_a_record_that_declares_nonsense_is_named(hotel: Owned) -> None:
    for text, message in broken(hotel.text(".copier-answers.yml")):
        hotel.edit({".copier-answers.yml": text})
        ran = hotel.update("--json")
        assert (ran.code, ran.json["error"]["kind"]) == (3, "not-a-service")
        assert ran.json["error"]["message"] == f".copier-answers.yml: {message}"
        ran = hotel.run("check", ".", "--json")
        assert (ran.code, ran.json["services"][0]["problem"]) == (
            3,
            f".copier-answers.yml: {message}",
        )


def test_a_name_that_a_later_release_uses_itself_stops_the_update(hotel: Owned) -> None:
    table = hotel.tool.root / "scaffold/source/templates/resource_names.toml"
    before = table.read_text()
    group = '[[resource_names]]\nwhy = "the outbox uses that name"\nresources = ["invoice"]\n'
    try:
        table.write_text(f"{before}\n{group}")
        ran = hotel.update()
    finally:
        table.write_text(before)
    assert (ran.code, hotel.state) == (2, "")
    assert ran.err == (
        'scaffold: Since the service was generated: Resource 3 "invoice": "invoice" is not a valid '
        'resource name: the outbox uses that name. Try "invoice_entry".\n'
    )


def test_a_service_from_before_declarations_gets_the_example(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    make_checkout(root)
    git(root, "init", "--quiet", "--initial-branch=main")
    questions = (root / "copier.yml").read_text()
    asked, count = re.subn(r"(?m)^(resources|initial):\n(  .*\n)+\n", "", questions)
    assert count == 2
    (root / "copier.yml").write_text(asked)
    set_version(root, FIRST)
    commit(root)
    old = install(root, tmp_path / FIRST)
    (root / "copier.yml").write_text(questions)
    set_version(root, SECOND)
    commit(root)
    assert old.new("my-svc", "--framework", "flask", cwd=tmp_path).code == 0
    assert "resources" not in record.read(tmp_path / "my-svc").answers
    git(tmp_path / "my-svc", "init", "--quiet", "--initial-branch=main")
    commit(tmp_path / "my-svc")
    service = Owned(tmp_path / "my-svc", install(root, tmp_path / SECOND))
    ran = service.update("--json", **SOMEBODY)
    assert (ran.code, ran.json["conflicts"]) == (0, [])
    assert recorded(service.folder) == [EXAMPLE]


# ---- the shell


def test_a_shell_completes_the_flag(checkout: Checkout, tmp_path: Path) -> None:
    words = "scaffold new hotel --reso"
    asked = {"_SCAFFOLD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
    ran = checkout.scaffold(cwd=tmp_path, **asked)
    assert (ran.code, ran.out.split(), ran.err) == (0, ["--resource"], "")
