"""What a service records of its making: the answers, and the templates that they were given to."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scaffold import __version__, documents
from scaffold.errors import BadAnswers, BadAnswersFile, NotAService

ANSWERS_FILE = ".copier-answers.yml"
# The one question that is answered by data: a list of resources in the long form.
RESOURCES = "resources"
# The resources that the first migrations create, where they are others; no question.
BORN_WITH = "born_with"
# Packages of Django that only have the migrations of a resource that was removed; no question.
RETIRED = "retired"
# The question that any number of answers are given to: what a service has besides.
WITH = "with"
DATA = (RESOURCES, BORN_WITH, RETIRED, WITH)
# Of these the value is a list of words.
WORD_LISTS = (RETIRED, WITH)
# Without them a service of other templates might be taken for one of the defaults.
NEEDED = ("name", "framework")
CONFLICT = re.compile(rb"^(<{7}|>{7}) ", re.MULTILINE)
# A name that nobody can register: an update reads the templates from the installed package.
OWN_ADDRESS = "https://scaffold.invalid/templates.git"


class Origin(NamedTuple):
    """Templates: the address of their repository, and a tag or a commit there."""

    address: str
    revision: str


OWN = Origin(OWN_ADDRESS, f"v{__version__}")


class Record(NamedTuple):
    """The answers of a service, and where its templates came from.

    They are text, but for its resources and what it has besides.
    """

    answers: Mapping[str, Any]
    origin: Origin


def read(folder: Path) -> Record:
    """The record of the service in `folder`. Raises NotAService where there is none to use."""
    file = folder / ANSWERS_FILE
    try:
        with file.open("rb") as content:
            text = content.read(documents.LARGEST + 1)
        _refuse_conflict(text, file)
        given, problems = documents.answers_in(text, str(file), data=DATA)
    except OSError as error:
        why = f"{ANSWERS_FILE} cannot be read: {error.strerror}"
        raise NotAService(f"{folder} is no service that scaffold made ({why}).") from error
    except BadAnswersFile as error:
        raise NotAService(str(error)) from error
    if problems:
        raise NotAService("\n".join(f"{file}: {problem}" for problem in problems))
    origin = _origin(given, file)
    return Record(_answers(given, file), origin)


def _refuse_conflict(content: bytes, file: Path) -> None:
    """Raises NotAService for a file that a merge has left conflicts in."""
    if found := CONFLICT.search(content):
        line = content.count(b"\n", 0, found.start()) + 1
        raise NotAService(
            f"{file} has the markers of a merge conflict (line {line}). Settle it and commit first."
        )


def write(folder: Path, origin: Origin) -> None:
    """Puts `origin` into the answers file that copier made, and no path of this machine."""
    file = folder / ANSWERS_FILE
    lines = f"_commit: {_quoted(origin.revision)}\n_src_path: {_quoted(origin.address)}"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    replaced, count = re.subn(
        "^_src_path: .*$", lines.replace("\\", r"\\"), text, flags=re.MULTILINE
    )
    if count != 1:
        raise RuntimeError(f"the template's {ANSWERS_FILE} does not record _src_path")
    file.write_text(replaced, encoding="utf-8", newline="\n")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _answers(given: Mapping[str, Any], file: Path) -> dict[str, Any]:
    answers = {key: value for key, value in given.items() if not key.startswith("_")}
    for key in WORD_LISTS:
        value = answers.get(key, [])
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise NotAService(f'{file}: "{key}" must be a list of words.')
    declared = (key for key in (RESOURCES, BORN_WITH) if key in answers)
    return answers | {key: _declared(answers[key], file) for key in declared}


def _declared(data: object, file: Path) -> list[dict[str, Any]]:
    """Recorded resources in the canonical form."""
    from scaffold.resources import long_form

    try:
        return long_form.canonical(data)
    except BadAnswers as problem:
        lines = (f"{file}: {line}" for line in str(problem).splitlines())
        raise NotAService("\n".join(lines)) from problem


def _origin(given: Mapping[str, Any], file: Path) -> Origin:
    for key in ("_src_path", "_commit", *NEEDED):
        if not given.get(key):
            raise NotAService(f"{file} does not say {key}, so what it was made from is not known.")
    return Origin(given["_src_path"], given["_commit"])
