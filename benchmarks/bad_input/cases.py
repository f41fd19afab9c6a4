"""The cases: what is given to each tool, and what counts as a fault.

A run is without fault if it refused (exit code not 0, nothing left, no traceback) or made a project
that is complete: every file parses, its packages can be imported under their names, and the answers
stand in it as they were given.
"""

from __future__ import annotations

import ast
import configparser
import json
import keyword
import shutil
import sys
import threading
import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from sandbox import GIGABYTE, Box, Ran, content

REFUSED, MADE, ABSENT = "refused", "made", "-"
JINJA = "{{ 7 * 7 }}"
CANARY = "{{ cycler.__init__.__globals__.os.system('touch ran-the-answer') }}"
QUOTES = 'Keeps "stock" \\ of it\'s bolts'


@dataclass(frozen=True)
class Outcome:
    """What a tool did: `good` in one word, or its faults."""

    good: str = ""
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"**{'; '.join(self.faults)}**" if self.faults else self.good


Case = Callable[[Box], Outcome]


# ---- judging


def judged(box: Box, ran: Ran, text: str | None = None) -> Outcome:
    """What a single run in a fresh box came to; `text` is the description that was given."""
    faults = [*_misbehaviour(box, ran)]
    project = box.project()
    if ran.code == 0 and not project and not box.outside():
        faults.append("exit code 0, and nothing made")
    elif ran.code == 0 and project:
        faults += broken(project, text)
    elif ran.ended and box.left():
        whole = project and content(project).keys() == box.whole()
        faults.append("exit code not 0, though it is made" if whole else "left part of a project")
    return Outcome(MADE if ran.code == 0 else REFUSED, tuple(dict.fromkeys(faults)))


def _misbehaviour(box: Box, ran: Ran) -> list[str]:
    faults = []
    if not ran.ended or "MemoryError" in ran.said:
        faults.append("no end: stopped at 60 s of CPU or 1 GiB")
    elif ran.traceback:
        faults.append("shows a traceback")
    if any(box.root.rglob("ran-the-answer")):
        faults.append("ran the answer as code")
    if box.outside():
        faults.append("wrote outside its folder")
    return faults


def broken(project: Path, text: str | None = None) -> list[str]:
    """What would not work in a project."""
    files = content(project)
    faults = [fault for name, data in files.items() if (fault := _unreadable(name, data))]
    faults += [f for folder in _packages(project) if (f := _not_importable(folder.name))]
    if text is not None and not faults and text.split() not in _descriptions(files):
        faults.append("another description than was given")
    return faults[:2]


PARSERS: dict[str, Callable[[str], object]] = {
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".json": json.loads,
    ".cfg": lambda text: configparser.ConfigParser(interpolation=None).read_string(text),
    ".yml": lambda text: list(yaml.safe_load_all(text)),
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
}


def _unreadable(name: str, data: bytes) -> str | None:
    path = Path(name)
    try:
        warnings.simplefilter("ignore", SyntaxWarning)
        PARSERS.get(path.suffix, str)(data.decode())
    except (ValueError, SyntaxError, yaml.YAMLError, configparser.Error):
        return f"broken {'Python' if path.suffix == '.py' else path.name}"
    return None


def _packages(project: Path) -> list[Path]:
    roots = [project / "src", project]
    return [
        p.parent for root in roots for p in root.glob("*/__init__.py") if p.parent.name != "tests"
    ]


def _not_importable(name: str) -> str | None:
    if not name.isidentifier() or keyword.iskeyword(name):
        return "a package that cannot be imported"
    if name in sys.stdlib_module_names:
        return "a package in place of the standard library's"
    return None


def _descriptions(files: Mapping[str, bytes]) -> list[list[str]]:
    """What the package's data say that it does, in words: white space may differ."""
    found = []
    if "pyproject.toml" in files:
        project = tomllib.loads(files["pyproject.toml"].decode()).get("project", {})
        found.append(project.get("description", ""))
    if "setup.cfg" in files:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(files["setup.cfg"].decode())
        found.append(parser.get("metadata", "description", fallback=""))
    return [text.split() for text in found]


# ---- names and texts


def name(given: str) -> Case:
    return lambda box: judged(box, box.run(box.tool.named(given)))


def plain(box: Box) -> Outcome:
    return judged(box, box.run(_usual(box)))


def _usual(box: Box) -> list[str]:
    return box.tool.named(box.tool.plain_name)


def text(given: str, expected: str | None = None) -> Case:
    def case(box: Box) -> Outcome:
        if box.tool.text is None:
            return Outcome(ABSENT)
        ran = box.run([*_usual(box), *box.tool.text(given)])
        return judged(box, ran, given if expected is None else expected)

    return case


def code_in_an_answer(box: Box) -> Outcome:
    """In the description, or in the name where the tool asks for nothing else."""
    if box.tool.text is None:
        return judged(box, box.run(box.tool.named(CANARY)))
    return judged(box, box.run([*_usual(box), *box.tool.text(CANARY)]), CANARY)


# ---- answers that no question asked for


def must_refuse(box: Box, ran: Ran, fault: str) -> Outcome:
    outcome = judged(box, ran)
    if ran.code == 0 and not outcome.faults:
        return Outcome(faults=(fault,))
    return outcome


def unknown(box: Box) -> Outcome:
    ran = box.run([*_usual(box), *box.tool.unknown])
    return must_refuse(box, ran, "taken in silence")


def wrong(box: Box) -> Outcome:
    ran = box.run([*_usual(box), *box.tool.wrong])
    told = "nope" in ran.said.lower() or "circle" in ran.said.lower()
    return must_refuse(box, ran, "told, and another taken" if told else "another taken in silence")


def file(kind: str, fault: str) -> Case:
    def case(box: Box) -> Outcome:
        if box.tool.file is None or kind not in box.tool.filed:
            return Outcome(ABSENT)
        path = box.root / "home" / "answers.cfg"
        path.write_bytes(box.tool.filed[kind].encode(errors="surrogateescape"))
        memory = GIGABYTE if kind == "bomb" else 8 * GIGABYTE
        ran = box.run([*_usual(box), *box.tool.file(str(path))], memory=memory)
        return must_refuse(box, ran, fault)

    return case


def nobody_to_ask(box: Box) -> Outcome:
    return judged(box, box.run(box.tool.nobody))


# ---- broken in the middle


def half_way(box: Box) -> int:
    """The number of the write in the middle of a whole run."""
    count = box.root / "home" / "count"
    watched = {"BREAK_KIND": "count", "BREAK_BELOW": str(box.work), "BREAK_COUNT": str(count)}
    box.run(_usual(box), watched)
    _empty(box)
    return int(count.read_text()) // 2


def _empty(box: Box) -> None:
    shutil.rmtree(box.work)
    box.work.mkdir()


def broken_by(kind: str) -> Case:
    def case(box: Box) -> Outcome:
        at = half_way(box)
        breaking = {"BREAK_KIND": kind, "BREAK_BELOW": str(box.work), "BREAK_AT": str(at)}
        ran = box.run(_usual(box), breaking)
        faults = [] if kind == "SIGKILL" else [*judged(box, ran).faults]
        if ran.code == 0 and kind != "SIGKILL":
            faults.append("exit code 0")
        again = box.run(_usual(box))
        project = box.project()
        healed = again.code == 0 and len(box.left()) == 1
        if not (healed and project and content(project).keys() == box.whole()):
            faults.append("the next run does not mend it")
        good = "mended by the next run" if kind == "SIGKILL" else "nothing left"
        return Outcome(good, tuple(dict.fromkeys(faults)))

    return case


# ---- what is there already, and who else is


def something_there(box: Box) -> Outcome:
    box.run(_usual(box))
    folder = box.project()
    if folder is None:
        return Outcome(faults=("makes nothing at all",))
    keep = folder.name
    _empty(box)
    mine = box.work / keep / "README.md"
    mine.parent.mkdir()
    mine.write_text("mine\n")
    ran = box.run(_usual(box))
    faults = [*_misbehaviour(box, ran)]
    if mine.read_text() != "mine\n":
        faults.append("overwrote a file")
    elif ran.code == 0 and content(mine.parent).keys() == {"README.md"}:
        faults.append("exit code 0, and nothing made")
    return Outcome(MADE + " around it" if ran.code == 0 else REFUSED, tuple(faults))


def two_at_once(box: Box) -> Outcome:
    runs: list[Ran] = []
    threads = [threading.Thread(target=lambda: runs.append(box.run(_usual(box)))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    faults = [fault for ran in runs for fault in _misbehaviour(box, ran)]
    project = box.project()
    if not project or content(project).keys() != box.whole() or len(box.left()) != 1:
        faults.append("no whole project")
    if sorted(ran.code == 0 for ran in runs) == [True, True]:
        faults.append("both say that they made it")
    elif not any(ran.code == 0 for ran in runs):
        faults.append("neither made it")
    return Outcome("one made, one refused", tuple(dict.fromkeys(faults)))


# ---- surroundings


def surrounded(
    variables: Mapping[str, str | None] | None = None, shell: str = '"$@"', given: str = ""
) -> Case:
    def case(box: Box) -> Outcome:
        arguments = _usual(box)
        if given and box.tool.text:
            arguments += box.tool.text(given)
        ran = box.run(arguments, variables, shell.replace("BIN", str(box.environment / "bin")))
        return judged(box, ran, given if given and box.tool.text else None)

    return case


def deleted_folder(box: Box) -> Outcome:
    ran = box.run(_usual(box), shell='mkdir gone; cd gone; rmdir ../gone; "$@"')
    return judged(box, ran)


def same_bytes(box: Box) -> Outcome:
    results = []
    for zone, seed in (("UTC", "1"), ("Pacific/Kiritimati", "2")):
        box.run(_usual(box), {"TZ": zone, "PYTHONHASHSEED": seed})
        project = box.project()
        results.append(content(project) if project else {})
        _empty(box)
    first, second = results
    differing = [n for n in first.keys() | second.keys() if first.get(n) != second.get(n)]
    if not first:
        return Outcome(faults=("makes nothing at all",))
    return Outcome("the same", (f"{Path(differing[0]).name} differs",) if differing else ())


ONLY_ITSELF = 'PATH=BIN:"$(mktemp -d)"; "$@"'

CASES: dict[str, Case] = {
    "a plain name": plain,
    "the name `class`": name("class"),
    "the name `json`": name("json"),
    "a name with quotes": name('it\'s "x"'),
    "a name with a space and an emoji": name("my svc 💚"),
    "the name `../x`": name("../x"),
    "no name at all": name(""),
    "a name of 300 letters": name("x" * 300),
    "quotes and a backslash in the description": text(QUOTES),
    "`{{ 7 * 7 }}` in the description": text(JINJA),
    "a line break in the description": text("one\ntwo = 3"),
    "code for Jinja in an answer": code_in_an_answer,
    "an unknown option": unknown,
    "an unknown question in a file of answers": file("unknown", "taken in silence"),
    "an answer that is not among the choices": wrong,
    "a list where text belongs": file("list", "taken in silence"),
    "one question answered twice": file("twice", "one of them taken in silence"),
    "a file of answers that is a list": file("no mapping", "ignored in silence"),
    "a file of answers that is no text": file("bytes", "taken in silence"),
    "a YAML bomb in a file of answers": file("bomb", "taken"),
    "a required answer missing, nobody to ask": nobody_to_ask,
    "SIGINT half way, then again": broken_by("SIGINT"),
    "SIGTERM half way, then again": broken_by("SIGTERM"),
    "SIGKILL half way, then again": broken_by("SIGKILL"),
    "the disk full half way, then again": broken_by("ENOSPC"),
    "a write refused half way, then again": broken_by("EACCES"),
    "a file of one's own in the way": something_there,
    "two at once": two_at_once,
    "HOME not set": surrounded({"HOME": None}),
    "HOME missing": surrounded({"HOME": "/nonexistent/home"}),
    "LC_ALL=C, and an emoji": surrounded({"LC_ALL": "C"}, given="Keeps 💚"),
    "no git and no uv": surrounded(shell=ONLY_ITSELF),
    "no network": surrounded(shell='unshare --map-root-user --net "$@"'),
    "the current folder deleted": deleted_folder,
    "stdout closed": surrounded(shell='"$@" >&-'),
    "a reader that goes away": surrounded(shell='"$@" | true; exit ${PIPESTATUS[0]}'),
    "another folder, time zone, hash seed": same_bytes,
}
