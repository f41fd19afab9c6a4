"""README, CONTRIBUTING and docs/: their blocks are read, their links lead somewhere, and what they
have from elsewhere is as it is there. `test_following.py` does what they say.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from docs import grid, tables
from scaffold.catalog import catalog
from tests.contract.lines import TITLES
from tests.docs.pages import Block, blocks, name_of, pages
from tests.servers import missing
from tests.services import REPOSITORY, frameworks

NOTES = {"serves", "press Enter at every prompt"}
KEYED = {"file", "from", "not run"}
PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "python": lambda body: compile(textwrap.dedent(body), "page", "exec"),
}
SHOWN = {"text", "{toctree}"}

LOADED = re.compile(r'<(?:link|script|img|iframe)\b[^>]*(?:href|src)="(?://|https?:)[^"]*"')
PICTURES = sorted((REPOSITORY / "docs" / "pictures").glob("*.svg"))

every_page = pytest.mark.parametrize("page", pages(), ids=name_of)


@every_page
def test_each_block_is_run_or_read(page: Path) -> None:
    for block in blocks(page):
        place = f"{name_of(page)}:{block.line}"
        assert block.note in NOTES or not block.note or has_key(block), place
        if block.language == "console":
            assert block.commands, f"{place} types nothing"
        elif block.language == "diff":
            assert re.search(r"^\+\+\+ b/", block.body, re.MULTILINE), place
        elif block.language in PARSERS:
            PARSERS[block.language](block.body)
        else:
            assert block.language in SHOWN, f"{place}: nothing runs or reads {block.language!r}"


def has_key(block: Block) -> bool:
    return any(block.noted(key) for key in KEYED)


@every_page
def test_each_fence_is_one_that_the_tests_see(page: Path) -> None:
    """A block in a list or a quote would be overlooked."""
    fences = re.findall(r"^[ >]*(?:```|~~~)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page))


@every_page
def test_what_is_shown_of_a_file_stands_in_it(page: Path) -> None:
    for block in blocks(page):
        if source := block.noted("from"):
            text = (REPOSITORY / source).read_text(encoding="utf-8")
            assert block.body.strip("\n") in text, f"{name_of(page)}:{block.line}"


@every_page
def test_each_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{name_of(page)} leads to {target}"
        if anchor:
            assert anchor in anchors(file), f"{name_of(page)} leads to {target}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as addresses, as GitHub and Sphinx make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in words}


def test_what_is_generated_is_what_the_data_say_today() -> None:
    known = catalog.load(REPOSITORY)
    for page in tables.pages():
        text = page.read_text(encoding="utf-8")
        assert tables.current(text, known) == text, f"{name_of(page)}: run python -m docs.tables"


def test_each_framework_has_a_page_with_its_facts() -> None:
    for framework in catalog.load(REPOSITORY).frameworks:
        page = REPOSITORY / "docs" / "frameworks" / f"{framework.id}.md"
        text = page.read_text(encoding="utf-8")
        for part in ("facts", "limits"):
            assert f"<!-- generated: {part} of {framework.id} -->" in text


def example_of(framework: str) -> tuple[set[str], str]:
    """The names of the files of the framework's example, and their text."""
    files = [one for one in (REPOSITORY / "examples" / framework).rglob("*") if one.is_file()]
    return {file.name for file in files}, "\n".join(file.read_text() for file in files)


@pytest.mark.parametrize("framework", frameworks())
def test_what_a_page_names_of_a_service_is_in_it(framework: str) -> None:
    """Constants and modules, such as the setting in which a resource is listed."""
    page = (REPOSITORY / "docs" / "frameworks" / f"{framework}.md").read_text()
    spans = " ".join(re.findall(r"`([^`\n]+)`", page.partition("## Known limitations")[0]))
    files, whole = example_of(framework)
    assert [one for one in re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", spans) if one not in whole] == []
    assert [one for one in re.findall(r"\b(\w+\.py)\b", spans) if one not in files] == []


@pytest.mark.parametrize("framework", frameworks())
def test_the_line_of_a_resource_is_that_of_the_example(framework: str) -> None:
    (name,) = (one.name for one in catalog.load(REPOSITORY).frameworks if one.id == framework)
    page = (REPOSITORY / "docs" / "own-resource.md").read_text()
    rows = re.findall(rf"^\| {re.escape(name.partition(' ')[0])} \|(.*)$", page, re.MULTILINE)
    if framework == "flask":
        assert rows == []  # the page itself is about it
        return
    _, whole = example_of(framework)
    lines = [line for line in re.findall(r"`([^`]+)`", rows[0]) if "oom" in line]
    assert lines
    for line in lines:
        own = line.replace("Room", "Product").replace("room", "product")
        assert own in whole, own


def test_the_picture_of_the_contract_is_drawn_from_its_runs() -> None:
    data = json.loads(grid.DATA.read_text(encoding="utf-8"))
    assert grid.PICTURE.read_text(encoding="utf-8") == grid.picture(data)


def test_the_picture_has_every_line_and_every_service() -> None:
    data = json.loads(grid.DATA.read_text(encoding="utf-8"))
    assert {line: about["title"] for line, about in data["lines"].items()} == TITLES
    services = {f"{name}-{database}" for name in frameworks() for database in grid.DATABASES}
    assert set(data["columns"]) == services


def test_a_failure_is_drawn_over_any_pass() -> None:
    def run(state: str, tests: int) -> grid.Grid:
        cells = {"flask-sqlite": {"state": state, "tests": tests}}
        return {"columns": ["flask-sqlite"], "lines": {"P1": {"title": "x", "cells": cells}}}

    def both(one: str, other: str) -> object:
        joined = grid.together([run(one, 2), run(other, 3)])
        return joined["lines"]["P1"]["cells"]["flask-sqlite"]

    assert both("pass", "FAIL") == {"state": "FAIL", "tests": 5}
    assert both("not run", "pass") == {"state": "pass", "tests": 5}
    assert both("xfail", "pass") == {"state": "xfail", "tests": 5}


@pytest.mark.parametrize("picture", PICTURES, ids=name_of)
def test_a_picture_says_in_words_what_it_shows_and_fetches_nothing(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    assert re.search(r'role="img" aria-labelledby="title text"', text)
    assert len(re.findall(r"<desc[^>]*>[^<]{40,}</desc>", text)) == 1
    assert re.findall(r"(?:href|src)=|url\(|@import", text) == []
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 300_000


@pytest.mark.slow
def test_the_recording_is_what_the_wizard_shows_today() -> None:
    command = [sys.executable, "-m", "docs.record", "--check"]
    played = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert played.returncode == 0, played.stderr


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    if not find_spec("sphinx"):
        missing("the extra `docs` is not installed")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "docs", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    for page in tmp_path.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert LOADED.findall(text) == [], page.name
