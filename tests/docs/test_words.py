"""Terms that the project replaced by those of its field stay out of all that is not a test."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.deployment.tools import expect_exit, run
from tests.docs.pages import pages
from tests.services import REPOSITORY

# What is written instead, by a pattern of the term. Matches are whole words, in any case.
EVERYWHERE = {
    r"hardly (kept|maintained)": "inactive",
    r"slow, but kept": "infrequent releases",
    r"(of )?bare (services?|twins?|ones?)|of bare": "baseline, % of baseline",
    r"the article's word": "the article's rating",
    r"what was measured": "benchmark results",
    r"--evidence measured": "--rank-by benchmarks",
    r"a must": "a requirement",
    r"fits best": "Best match",
    r"not made for": "not designed for",
    r"these are two services": "the workload needs two services",
    r"looks for nothing in particular": "No preference",
    r"Enter all the way": "press Enter at every prompt",
    r"Enter leaves it out": "Optional; press Enter to skip",
    r"the same again, without questions": "Equivalent non-interactive command",
    r"counts? more": "takes precedence",
    r"not go together": "cannot be combined",
    r"(is|are) whole": "is complete",
    r"no lock was made": "uv.lock was not created",
    r"told from": "distinguished from",
    r"in the place of": "instead of",
    r"lines? of the contract": "a requirement",
    r"(does|do) not hold it|it does not hold": "known limitation",
    r"everyday part": "the default test run",
    r"suite bites?|has to bite|proven to bite": "must catch the bug",
    r"floors it stands on": "layers",
    r"the API's document": "the OpenAPI document",
    r"pages that do not lie": "consistent pagination",
    r"out of reach": "unreachable, unavailable",
    r"trickl(e|es|ed|ing)": "a slow request body (slowloris)",
    r"hears a signal": "handles a signal",
    r"speak at debug": "are logged only at debug level",
    r"hard edges": "request limits",
    r"make a service|service (that )?(was|is) made": "generate a service",
}
# Ordinary words in code (the caller of a function), so they are held out of the pages alone.
ON_PAGES = {
    r"callers?": "client",
    r"(is|are|was|were) refused": "rejected; stops with an error",
    r"proofs?|proven?|proves|proving": "tests, verify",
}
# Where a term is a name of an API, a measurement of a day, or what others are said to do.
ALLOWED = {
    "measured.json": "it is data",
    "docs/data/": "titles of tests",
    "docs/pictures/": "recordings",
    "docs/peers-bad-input.md": "written by a benchmark, about other generators",
}
ALLOWED_MATCHES = {
    ("docs/organisation.md", "prove"): "the command `python -m nightly prove`",
    ("CONTRIBUTING.md", "prove"): "the command `nightly prove`",
    ("docs/decisions/nightly.md", "proving"): "the name of a module",
}


def texts() -> Iterator[tuple[str, str]]:
    """Every file but tests and what is generated from a template, with its text."""
    listed = expect_exit(run(["git", "ls-files"], cwd=REPOSITORY)).stdout.split()
    for name in listed:
        if name.startswith(("tests/", "examples/", *ALLOWED)) or "/tests/" in name:
            continue
        content = (REPOSITORY / name).read_bytes() if (REPOSITORY / name).exists() else b""
        if b"\0" not in content:
            yield name, content.decode("utf-8")


def found(name: str, text: str, terms: dict[str, str]) -> Iterator[str]:
    for term, better in terms.items():
        spaced = term.replace(" ", r"[\s#]+")
        for match in re.finditer(rf"(?<![\w-])(?:{spaced})(?![\w-])", text, re.IGNORECASE):
            if (name, match[0]) not in ALLOWED_MATCHES:
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: {' '.join(match[0].split())!r}: write {better!r}"


def test_no_replaced_term_is_left() -> None:
    assert [one for name, text in texts() for one in found(name, text, EVERYWHERE)] == []


def test_no_replaced_term_is_left_on_the_pages() -> None:
    readable = {page.relative_to(REPOSITORY).as_posix() for page in pages()}
    left = [
        one for name, text in texts() if name in readable for one in found(name, text, ON_PAGES)
    ]
    assert left == []


@pytest.mark.parametrize(
    "text",
    ["It is hardly\n# kept.", "What was  measured", "The API's document is", "90 % of bare)"],
)
def test_a_term_is_found_in_any_case_and_over_the_end_of_a_line(text: str) -> None:
    assert len(list(found("page.md", text, EVERYWHERE))) == 1
