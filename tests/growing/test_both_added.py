"""Lines that the owner and the template add at the same place are both there afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import ruff

from scaffold.merging.additions import MARKER, joined
from tests.growing.services import Service
from tests.growing.test_owners import owned, source_of
from tests.services import frameworks
from tests.tool.lineage import commit, git

# The other seven have the same files, or those of Flask.
EVERY_DAY = ("flask", "django")
FRAMEWORKS = [
    pytest.param(one, marks=[] if one in EVERY_DAY else [pytest.mark.slow]) for one in frameworks()
]


def beside(path: Path) -> int:
    """Adds a copy of each line about bookings that is about breakfasts, and says how many."""
    lines = path.read_text().splitlines(keepends=True)
    about = re.compile(r"\bbookings\b|\bBooking\w+\b")
    begins = re.compile(r"\s*(def|class|if|for|with|async|return|@)\b|.*[\[({:]$")
    found, result = 0, []
    for line in lines:
        result.append(line)
        if about.search(line) and not begins.match(line.rstrip("\n")) and '"""' not in line:
            result.append(line.replace("booking", "breakfast").replace("Booking", "Breakfast"))
            found += 1
    path.write_text("".join(result))
    command = [ruff.find_ruff_bin(), "check", "--select=I", "--fix", "--quiet", "--no-cache"]
    subprocess.run([*command, path.name], cwd=path.parent, check=True)
    return found


def joints(service: Service) -> list[Path]:
    """The files in which an owner registers a resource."""
    names = ("app.py", "urls.py", "django_settings.py")
    return [path for name in names if (path := source_of(service) / name).exists()]


def clean(service: Service, files: list[Path]) -> None:
    """Both formatter and linter have nothing to say; the owner's modules are not there."""
    for words in (("check", "--ignore=F401"), ("format", "--check")):
        command = [ruff.find_ruff_bin(), *words, "--no-cache", *map(str, files)]
        done = subprocess.run(command, cwd=service.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_resource_of_the_owner_where_the_next_is_added(
    framework: str, born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = owned(born(framework), tmp_path)
    files = joints(service)
    counted = [beside(path) for path in files]
    assert sum(counted) >= 1, counted
    commit(service.folder)
    service.grow("add", "resource", "invoice booking:ref total:decimal:10.2")
    for path, count in zip(files, counted, strict=True):
        text = path.read_text()
        assert len(re.findall(r"^.*breakfast.*$", text, re.MULTILINE | re.IGNORECASE)) == count
        assert len(re.findall(r"^.*invoice.*$", text, re.MULTILINE | re.IGNORECASE)) == count
    clean(service, files)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_field_of_the_owner_where_the_next_is_added(
    framework: str, born: Callable[[str], Service], tmp_path: Path
) -> None:
    service = owned(born(framework), tmp_path)
    folder = source_of(service) / "bookings"
    names = ("model.py", "models.py", "serializers.py")
    files = [path for name in names if (path := folder / name).exists()]
    for path in files:
        text = path.read_text()
        line = re.compile(r"^(\s+)(\"?)paid(\"?,|: | = )(.*)\n", re.MULTILINE)
        own = line.sub(r"\g<0>\1\2quiet\3\4\n", text)
        assert own != text
        path.write_text(own)
    commit(service.folder)
    service.grow("add", "field", "booking", "vip:bool:default=false")
    for path in files:
        text = path.read_text()
        assert re.search(r"quiet.*\n.*vip", text), text
    clean(service, files)
    service.grow("remove", "field", "booking", "paid")
    for path in files:
        text = path.read_text()
        assert "paid" not in text
        assert re.search(r"quiet.*\n.*vip", text), text
    clean(service, files)


def test_imports_that_both_change_are_one_import(service: Service) -> None:
    model = "src/hotel/rooms/model.py"
    service.edit(model, "import String\n", "import LargeBinary, String\n")
    service.grow("add", "field", "room", "note:text:optional")
    assert "from sqlalchemy import LargeBinary, String, Text\n" in service.contents()[model]


def test_the_same_field_by_hand_and_by_the_command_is_a_conflict(service: Service) -> None:
    """Two definitions of a name would be Python, in which the second one counts."""
    model = "src/hotel/rooms/model.py"
    service.edit(
        model, "    seats: Mapped[int]\n", "    seats: Mapped[int]\n    vip: Mapped[str]\n"
    )
    ran = service.run("add", "field", "room", "vip:bool:default=false", "--no-lock", "--json")
    assert ran.code == 4
    assert [one["file"] for one in ran.json["conflicts"]] == [model]


def test_a_merge_that_fails_leaves_everything_as_it_was(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of `git merge-file` is not a file without lines."""
    model = "src/hotel/rooms/model.py"
    service.edit(model, "import String\n", "import LargeBinary, String\n")
    before = service.contents()
    failing = tmp_path / "bin" / "git"
    failing.parent.mkdir()
    failing.write_text(
        "#!/bin/sh\n"
        'case " $* " in *" merge-file "*)\n'
        '  echo "fatal: write failure on stdout: No space left on device" >&2; exit 128;;\n'
        "esac\n"
        f'exec {shutil.which("git")} "$@"\n'
    )
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", str(failing.parent), prepend=os.pathsep)
    ran = service.run("add", "field", "room", "note:text:optional", "--no-lock")
    assert (ran.code, "No space left on device" in ran.err) == (3, True), ran.err
    monkeypatch.undo()
    assert service.contents() == before
    assert git(service.folder, "status", "--porcelain") == ""


# ---- what is joined, and what is not


def merged(tmp_path: Path, base: str, ours: str, theirs: str, name: str = "it.py") -> str | None:
    files = [tmp_path / side for side in ("ours", "base", "theirs")]
    for file, text in zip(files, (ours, base, theirs), strict=True):
        file.write_bytes(text.encode())
    words = ["git", "merge-file", "-p", "--diff3", f"--marker-size={MARKER}", *map(str, files)]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.returncode > 0  # so many conflicts
    content = joined(done.stdout, name, tmp_path / "pyproject.toml")
    return None if content is None else content.decode()


CLASS = "class Room:\n    name: str\n"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "whole"),
    [
        pytest.param(
            CLASS,
            CLASS + "    own: int\n",
            CLASS + "    new: int\n",
            CLASS + "    own: int\n    new: int\n",
            id="added",
        ),
        pytest.param(
            CLASS + "    size: int\n",
            CLASS + "    size: int\n    own: int\n",
            CLASS,
            CLASS + "    own: int\n",
            id="added beside what is removed",
        ),
        pytest.param(
            CLASS,
            CLASS.replace("str", "bytes"),
            CLASS + "    new: int\n",
            CLASS.replace("str", "bytes") + "    new: int\n",
            id="added below what was changed",
        ),
        pytest.param(
            CLASS,
            CLASS.replace("    name: str", "    own: int\n    name: bytes"),
            CLASS.replace("    name", "    new: int\n    name"),
            "class Room:\n    new: int\n    own: int\n    name: bytes\n",
            id="added above what was changed",
        ),
        pytest.param(
            CLASS + "    size: int\n",
            CLASS + "    size: float\n",
            "class Room:\n    size: int\n",
            "class Room:\n    size: float\n",
            id="changed beside what is removed",
        ),
        pytest.param(
            "x = [\n    1,\n]\n",
            "x = [\n    1,\n    2,\n]\n",
            "x = [\n    1,\n    3,\n]\n",
            "x = [\n    1,\n    2,\n    3,\n]\n",
            id="items",
        ),
        pytest.param(
            "from a import b\n\nx = 1\n",
            "from a import b, c\n\nx = 1\n",
            "from a import d\n\nx = 1\n",
            "from a import c\nfrom a import d\n\nx = 1\n",
            id="imports, of which one goes",
        ),
        pytest.param(
            CLASS.replace("\n", "\r\n"),
            (CLASS + "    own: int\n").replace("\n", "\r\n"),
            (CLASS + "    new: int\n").replace("\n", "\r\n"),
            (CLASS + "    own: int\n    new: int\n").replace("\n", "\r\n"),
            id="with line ends of another system",
        ),
    ],
)
def test_both_are_kept(tmp_path: Path, base: str, ours: str, theirs: str, whole: str) -> None:
    assert merged(tmp_path, base, ours, theirs) == whole


FUNCTION = "def f(a):\n    b = a\n"


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        pytest.param(
            CLASS, CLASS.replace("str", "int"), CLASS.replace("str", "bytes"), id="changed"
        ),
        pytest.param(CLASS, CLASS.replace("str", "int"), "class Room:\n", id="changed and removed"),
        pytest.param(
            CLASS + "    size: int\n",
            CLASS + "    size: float\n",
            CLASS.replace("str", "bytes") + "    size: int\n",
            id="changed side by side",
        ),
        pytest.param(
            CLASS,
            CLASS + "    new: int\n",
            CLASS + "    new: str\n",
            id="the same name",
        ),
        pytest.param(
            CLASS,
            CLASS + "    def new(self): ...\n",
            CLASS + "    new: str\n",
            id="the same name, of a function",
        ),
        pytest.param(
            'x = {\n    "a": 1,\n}\n',
            'x = {\n    "a": 1,\n    "b": 2,\n}\n',
            'x = {\n    "a": 1,\n    "b": 3,\n}\n',
            id="the same key",
        ),
        pytest.param(
            "x = [\n    1,\n]\n",
            "x = [\n    1,\n    2,\n    3,\n]\n",
            "x = [\n    1,\n    3,\n]\n",
            id="the same item",
        ),
        pytest.param(
            FUNCTION,
            FUNCTION + "    return b\n",
            FUNCTION + "    print(b)\n",
            id="never reached",
        ),
        pytest.param(
            FUNCTION,
            FUNCTION + "\n\ndef own():\n    print(1)\n",
            FUNCTION + "    print(b)\n",
            id="in a function of the other side",
        ),
        pytest.param(
            CLASS,
            CLASS + "\n\nclass Own:\n    size: int\n",
            CLASS + "    new: int\n",
            id="in a class of the other side",
        ),
        pytest.param(
            FUNCTION,
            FUNCTION.replace("b = a", "b = a\n    c = b\n\n\ndef own():\n    d = 1"),
            FUNCTION + "    print(b)\n",
            id="in a function that came with a change",
        ),
        pytest.param(
            FUNCTION,
            FUNCTION + "    if b:\n",
            FUNCTION + "    print(b)\n",
            id="no Python before",
        ),
        pytest.param(
            "a = 1\nb = 2\nc = 3\n", "a = 1\nb = 2\nown = 1\nc = 3\n", "a = 1\n", id="within"
        ),
        pytest.param(
            "from a import b  # why\n",
            "from a import b, c  # why\n",
            "from a import b, d  # why\n",
            id="imports with a comment",
        ),
    ],
)
def test_anything_else_stays_a_conflict(tmp_path: Path, base: str, ours: str, theirs: str) -> None:
    assert merged(tmp_path, base, ours, theirs) is None


@pytest.mark.parametrize("line", [character * 50 for character in "<|=>"])
@pytest.mark.parametrize("owners", [True, False])
def test_a_line_that_looks_like_a_marker_stays_a_conflict(
    tmp_path: Path, line: str, owners: bool
) -> None:
    base, plain, marked = "- a\n", "- a\n- new\n", f"- a\nTitle\n{line}\n- own\n"
    sides = (marked, plain) if owners else (plain, marked)
    assert merged(tmp_path, base, *sides, name="README.md") is None


LISTED = ("x:\n  - a\n", "x:\n  - a\n  - own\n", "x:\n  - a\n  - new\n")
DEEPER = (
    "x:\n  y:\n    a: 1\n",
    "x:\n  y:\n    a: 1\n  own: 1\n",
    "x:\n  y:\n    a: 1\n    b: 1\n",
)


@pytest.mark.parametrize(
    ("name", "sides", "whole"),
    [
        ("pyproject.toml", ("x = [\n1,\n]\n", "x = [\n1,\n2,\n]\n", "x = [\n1,\n3,\n]\n"), True),
        ("pyproject.toml", ("[a]\nb = 1\n", "[a]\nb = 1\nc = 1\n", "[a]\nb = 1\nc = 2\n"), False),
        ("README.md", ("- a\n", "- a\n- own\n", "- a\n- new\n"), True),
        (".env.example", ("A=1\n", "A=1\nOWN=1\n", "A=1\n# NEW=1\n"), True),
        (".env.example", ("A=1\n", "A=1\nNEW=2\n", "A=1\n# NEW=1\n"), False),
        ("compose.yaml", LISTED, True),
        ("compose.yaml", DEEPER, False),
        ("compose.yaml", ("a: 1\n", "a: 1\nb: 1\n", "a: 1\nb: 2\n"), False),
        ("justfile", ("a\n", "a\nown\n", "a\nnew\n"), False),
    ],
)
def test_other_files(tmp_path: Path, name: str, sides: tuple[str, str, str], whole: bool) -> None:
    found = merged(tmp_path, *sides, name=name)
    assert (found is not None) == whole
    if whole:
        assert set(sides[1].split()) | set(sides[2].split()) == set((found or "").split())
