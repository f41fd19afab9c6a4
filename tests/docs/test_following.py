"""Every page is followed word for word: what it types is typed, and it prints what the page shows.

Each page begins in an empty folder, in an environment of its own that has the built wheel, uv and
the machine's programs; those about the repository itself begin in a clone of it.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deployment.tools import expect_exit, program, run
from tests.docs.pages import Block, Command, blocks, name_of, pages
from tests.docs.shell import Said, Shell, clean_environment
from tests.services import REPOSITORY

pytestmark = pytest.mark.slow
IN_A_CLONE = {"README.md", "CONTRIBUTING.md", "docs/install.md"}
PATCH = "patch --strip=1 --fuzz=0 --no-backup-if-mismatch"
EVERYWHERE = ["curl", "git", "patch", "perl"]
BESIDE = {"docs/install.md": ["pipx"]}
TYPED = [
    page
    for page in pages()
    if any(b.language == "console" and not b.noted("not run") for b in blocks(page))
]


@dataclass(frozen=True)
class Machine:
    """What a reader has: a clone, and folders of programs."""

    clone: Path
    programs: list[Path]


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A clone with what stands in the working tree, and its wheel installed for all pages."""
    folder = tmp_path_factory.mktemp("machine")
    clone = folder / "clone"
    expect_exit(run(["git", "clone", "--quiet", REPOSITORY, clone]))
    tracked = expect_exit(run(["git", "ls-files", "-z"], cwd=REPOSITORY)).stdout
    for name in filter(None, tracked.split("\0")):
        if (REPOSITORY / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, clone / name)
    return Machine(clone, [installed(clone, folder), tools(folder)])


def installed(clone: Path, folder: Path) -> Path:
    """Where the command is that the wheel of the clone brings."""
    environment = clean_environment(folder, [Path(sys.executable).parent])

    def uv(*arguments: str | Path) -> None:
        expect_exit(run(["uv", *arguments], cwd=clone, env=environment))

    uv("build", "--quiet", "--wheel", "--out-dir", folder / "wheel")
    uv("venv", "--quiet", folder / "installed")
    (wheel,) = (folder / "wheel").glob("*.whl")
    uv("pip", "install", "--quiet", "--python", folder / "installed", wheel)
    only = folder / "scaffold"
    only.mkdir()
    (only / "scaffold").symlink_to(folder / "installed" / "bin" / "scaffold")
    return only


def tools(folder: Path) -> Path:
    """The programs that a page may ask for and a machine may lack, and no others of the tests."""
    found = folder / "tools"
    found.mkdir()
    for name in ("uv", "uvx"):
        (found / name).symlink_to(str(shutil.which(name)))
    (found / "python3").symlink_to(sys.executable)
    return found


@pytest.mark.parametrize("page", TYPED, ids=name_of)
def test_a_page_does_what_it_says(page: Path, machine: Machine, tmp_path: Path) -> None:
    for name in [*EVERYWHERE, *BESIDE.get(name_of(page), ())]:
        program(name, name)
    home, folder = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    if name_of(page) in IN_A_CLONE:
        shutil.copytree(machine.clone, folder, symlinks=True)
    else:
        folder.mkdir()
    programs = [home / ".local" / "bin", *machine.programs]
    variables = clean_environment(home, programs) | {"CLONE": str(machine.clone)}
    with Shell(folder, variables) as shell:
        for block in blocks(page):
            follow(shell, block, f"{name_of(page)}:{block.line}")


def follow(shell: Shell, block: Block, place: str) -> None:
    if block.noted("not run"):
        return
    if name := block.noted("file"):
        write(shell, name, block.body)
    elif block.language == "diff":
        said = shell.type(f"{PATCH} <<'EOF'\n{block.body}EOF")
        assert said.code == 0, f"{place}\n{said.output}"
    elif block.language == "console":
        type_all(shell, block, place)


def write(shell: Shell, name: str, body: str) -> None:
    folder = Path(shell.type("pwd").output.strip())
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(body, encoding="utf-8")


def type_all(shell: Shell, block: Block, place: str) -> None:
    for number, command in enumerate(block.commands):
        last = number == len(block.commands) - 1
        if block.note == "serves" and last:
            shell.serve(command.typed)
            continue
        at_terminal = block.note == "press Enter at every prompt" and number == 0
        said = shell.press_enter(command.typed) if at_terminal else shell.type(command.typed)
        told = next_is_exit_code(block, number)
        check(command, said, told, f"{place}\n$ {command.typed}\n{said.output[-6000:]}")


def next_is_exit_code(block: Block, number: int) -> bool:
    """Whether the page goes on to show how this command failed."""
    following = block.commands[number + 1 : number + 2]
    return bool(following) and following[0].typed == "echo $?"


def check(command: Command, said: Said, told: bool, about: str) -> None:
    assert (said.code != 0) == told, f"exit {said.code}: {about}"
    assert command.prints(said.output), f"not what the page shows: {about}"


def test_a_page_that_lies_is_found(tmp_path: Path) -> None:
    """The proof of the proof: other output, a failure, and a change that does not apply."""
    for body in ("$ echo one\ntwo\n", "$ false\n", "$ echo a b\na ...c\n"):
        with (
            Shell(tmp_path, clean_environment(tmp_path, [])) as shell,
            pytest.raises(AssertionError, match="page"),
        ):
            follow(shell, Block("console", body, "", 1), "page")
    patch = "--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n-a\n+b\n"
    with (
        Shell(tmp_path, clean_environment(tmp_path, [])) as shell,
        pytest.raises(AssertionError, match="page"),
    ):
        follow(shell, Block("diff", patch, "", 1), "page")


def test_what_a_command_leaves_is_there_for_the_next(tmp_path: Path) -> None:
    body = (
        "$ mkdir inner && cd inner\n$ export WORD=there\n$ basename $PWD; echo $WORD\ninner\n...\n"
        "$ (exit 7)\n$ echo $?\n7\n"
    )
    with Shell(tmp_path, clean_environment(tmp_path, [])) as shell:
        follow(shell, Block("console", body, "", 1), "page")
