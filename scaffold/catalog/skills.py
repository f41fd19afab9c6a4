"""The skills for coding agents that come with the tool: a folder with a SKILL.md for each."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from scaffold import documents
from scaffold.catalog.catalog import source_root
from scaffold.errors import BadAnswers, TargetError
from scaffold.escaping import quote, quote_path

FILE = "SKILL.md"


class Skill(NamedTuple):
    """`text` is the whole file, its front matter included."""

    name: str
    description: str
    text: str


def load(root: Path | None = None) -> list[Skill]:
    """The skills of this version, in the order of their names."""
    folder = (root or source_root()) / "skills"
    return [_skill(file) for file in sorted(folder.glob(f"*/{FILE}"))]


def _skill(file: Path) -> Skill:
    text = file.read_text(encoding="utf-8")
    about = documents.front_matter(text)
    return Skill(about["name"], about["description"], text)


def called(skills: list[Skill], name: str) -> Skill:
    """Raises BadAnswers if there is none of that name, with the one that may be meant."""
    known = {skill.name: skill for skill in skills}
    if name in known:
        return known[name]
    alike = get_close_matches(name, known, n=1)
    hint = f"Did you mean {quote(alike[0])}?" if alike else f"The skills are {', '.join(known)}."
    raise BadAnswers(f"Unknown skill {quote(name)}. {hint}")


def write(skills: list[Skill], folder: Path) -> list[Path]:
    """Write each as `folder`/NAME/SKILL.md, and return the files.

    Raises TargetError, and writes nothing, if one of them is there with another content.
    """
    files = {folder / skill.name / FILE: skill.text for skill in skills}
    if edited := [*_edited(files)]:
        names = ", ".join(map(quote_path, edited))
        raise TargetError(
            f"Different files already exist: {names}. Move them or use another folder."
        )
    for file, text in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise TargetError(f"{quote_path(file)} cannot be written: {error.strerror}.") from error
    return list(files)


def _edited(files: dict[Path, str]) -> Iterator[Path]:
    for file, text in files.items():
        try:
            there = file.read_bytes()
        except FileNotFoundError:
            continue
        except OSError:
            yield file
        else:
            if there != text.encode():
                yield file
