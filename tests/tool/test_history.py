"""The releases are found in the history of the version in the code, and nowhere else."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from scaffold.catalog import history
from scaffold.catalog.versions import newest
from scaffold.updating.changelog import between
from tests.tool.conftest import REPOSITORY
from tests.tool.lineage import commit, git, set_version

CODE = '"""Some code."""\n\n__version__ = "0.1.0"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose templates are one file, first of version 0.1.0."""
    root = tmp_path / "root"
    (root / "scaffold").mkdir(parents=True)
    (root / "templates").mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / "README.md").write_text("No templates yet.\n")
    (root / "scaffold" / "__init__.py").write_text(CODE)
    commit(root)
    (root / "copier.yml").write_text("name: {type: str}\n")
    template(root, "begun")
    return root


def template(root: Path, text: str) -> str:
    """A commit in which the one template says `text`."""
    (root / "templates" / "file.txt").write_text(text)
    return commit(root)


def release(root: Path, version: str, text: str) -> None:
    set_version(root, version)
    template(root, text)


def contents(root: Path, tmp_path: Path) -> dict[str, str]:
    """What the one template says in each release of the bundle."""
    bundle = tmp_path / "some.bundle"
    tags = history.bundle(root, bundle)
    clone = tmp_path / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    git(tmp_path, "clone", "--quiet", str(bundle), str(clone))
    assert list(history.heads_of(bundle)) == tags
    return {tag: git(clone, "show", f"{tag}:templates/file.txt") for tag in tags}


def test_each_version_of_the_code_is_a_release(root: Path, tmp_path: Path) -> None:
    template(root, "of the first")
    release(root, "0.2.0", "of the second")
    release(root, "0.10.0", "of the tenth")
    assert contents(root, tmp_path) == {
        "v0.1.0": "of the first",
        "v0.2.0": "of the second",
        "v0.10.0": "of the tenth",
    }


def test_work_after_the_version_was_raised_belongs_to_that_version(
    root: Path, tmp_path: Path
) -> None:
    set_version(root, "0.2.0")
    commit(root)
    template(root, "of the second")
    release(root, "0.3.0", "of the third")
    assert contents(root, tmp_path)["v0.2.0"] == "of the second"


def test_work_after_a_dated_heading_belongs_to_the_next_version(root: Path, tmp_path: Path) -> None:
    """Where the version is raised last: a release is out once the changelog has its date."""
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## [0.1.0] - 2027-01-01\n")
    template(root, "of the first")
    template(root, "of the second, and the version is raised later")
    release(root, "0.2.0", "of the second")
    assert contents(root, tmp_path)["v0.1.0"] == "of the first"


def test_the_newest_release_is_what_lies_there(root: Path, tmp_path: Path) -> None:
    (root / ".gitignore").write_text("*.pyc\n")
    (root / "templates" / "file.txt").write_text("not committed")
    (root / "templates" / "more.txt").write_text("new")
    (root / "templates" / "file.pyc").write_text("ignored")
    before = git(root, "status", "--porcelain"), git(root, "count-objects")
    assert contents(root, tmp_path) == {"v0.1.0": "not committed"}
    assert (tmp_path / "clone/templates/more.txt").exists()
    assert not (tmp_path / "clone/templates/file.pyc").exists()
    assert before == (git(root, "status", "--porcelain"), git(root, "count-objects"))


def test_a_release_holds_the_questions_and_the_templates_alone(root: Path, tmp_path: Path) -> None:
    release(root, "0.2.0", "of the second")
    contents(root, tmp_path)
    for tag in ("v0.1.0", "v0.2.0"):
        listed = git(tmp_path / "clone", "ls-tree", "--name-only", tag).split()
        assert listed == ["copier.yml", "templates"]


def test_tags_and_branches_that_were_merged_are_not_looked_at(root: Path, tmp_path: Path) -> None:
    git(root, "tag", "v0.1.0")
    git(root, "tag", "v7.0.0")
    git(root, "switch", "--quiet", "--create", "side")
    release(root, "0.9.0", "of a version that was only tried")
    git(root, "switch", "--quiet", "main")
    template(root, "of the first")
    git(root, "merge", "--quiet", "--strategy", "ours", "--no-edit", "side")
    release(root, "0.2.0", "of the second")
    assert contents(root, tmp_path) == {"v0.1.0": "of the first", "v0.2.0": "of the second"}


def test_the_same_history_gives_the_same_bundle_anywhere(root: Path, tmp_path: Path) -> None:
    release(root, "0.2.0", "of the second")
    contents(root, tmp_path)
    first = (tmp_path / "some.bundle").read_bytes()
    git(tmp_path, "clone", "--quiet", str(root), "other")
    contents(tmp_path / "other", tmp_path)
    assert (tmp_path / "some.bundle").read_bytes() == first


def test_a_later_bundle_has_the_earlier_releases_unchanged(root: Path, tmp_path: Path) -> None:
    contents(root, tmp_path)
    before = history.heads_of(tmp_path / "some.bundle")
    release(root, "0.2.0", "of the second")
    contents(root, tmp_path)
    assert before.items() < history.heads_of(tmp_path / "some.bundle").items()


def test_a_shallow_clone_is_refused_with_the_way_out(root: Path, tmp_path: Path) -> None:
    release(root, "0.2.0", "of the second")
    git(tmp_path, "clone", "--quiet", "--depth", "1", root.as_uri(), "shallow")
    with pytest.raises(history.HistoryIncomplete, match="git fetch --unshallow"):
        history.bundle(tmp_path / "shallow", tmp_path / "some.bundle")
    git(tmp_path / "shallow", "fetch", "--quiet", "--unshallow")
    assert contents(tmp_path / "shallow", tmp_path)["v0.2.0"] == "of the second"


def test_files_without_a_history_are_refused_also_inside_another_repository(
    root: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    shutil.rmtree(root / ".git")
    with pytest.raises(history.HistoryIncomplete, match="sdist"):
        history.bundle(root, tmp_path / "some.bundle")


def test_a_clone_without_contents_fetches_what_it_needs(root: Path, tmp_path: Path) -> None:
    """As pip makes it from an address."""
    release(root, "0.2.0", "of the second")
    git(root, "config", "uploadpack.allowFilter", "true")
    git(root, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", root.as_uri(), "partial")
    assert contents(tmp_path / "partial", tmp_path)["v0.1.0"] == "begun"


def test_every_release_of_this_repository_has_its_part_of_the_changelog() -> None:
    if git(REPOSITORY, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("the history of this clone is cut")
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    for past in history.past_releases(REPOSITORY):
        told = {change.version for change in between(text, "0", past.version)}
        assert past.version in told, f"no `### In your service` for {past.version}"


def test_the_version_is_read_as_the_build_reads_it() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert settings["tool"]["hatch"]["version"]["path"] == history.VERSION_FILE


def test_the_newest_version_is_not_the_last_in_the_alphabet() -> None:
    assert newest(["v0.9.0", "v0.10.0", "v1.0.0rc1", "nightly"]) == "v0.10.0"
    assert newest(["v1.0.0rc1", "nightly"]) == "v1.0.0rc1"
    assert newest(["nightly"]) is None


# ---- the changelog

TEXT = """# Changelog

## [Unreleased]

### In your service

- Of what comes.

## [0.10.0] - 2027-03-01

### Fixed

- Something else.

## [0.9.0] - 2027-02-01

### In your service

- Of the ninth,
  in two lines.
- Also of the ninth.

## [0.8.0] - 2027-01-01

### In your service

- Of the eighth.
"""


@pytest.mark.parametrize(
    ("before", "after", "items"),
    [
        ("v0.8.0", "v0.9.0", [["Of the ninth, in two lines.", "Also of the ninth."]]),
        ("v0.8.0", "v0.10.0", [["Of the ninth, in two lines.", "Also of the ninth."]]),
        ("v0.9.0", "v0.10.0", []),
        ("v0.9.0", "v0.11.0", [["Of what comes."]]),
        ("v0.8.5", "v0.9.0", [["Of the ninth, in two lines.", "Also of the ninth."]]),
        ("v0.9.0", "v0.9.0", []),
        ("0fe62a0", "v0.9.0", []),
    ],
)
def test_what_changes_between_two_releases(before: str, after: str, items: list[list[str]]) -> None:
    assert [list(change.items) for change in between(TEXT, before, after)] == items
