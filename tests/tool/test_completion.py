"""Completion in bash, zsh and fish: each shell runs at a terminal, and Tab is pressed in it."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.servers import missing
from tests.tool.conftest import REPOSITORY, Checkout

PATIENCE = 30  # seconds
PROMPT = "ready> "
SHELLS = {
    "bash": ["--noprofile", "-i"],
    "zsh": ["-i"],
    "fish": ["-i"],
}
SETTINGS = {
    "bash": (
        ".bashrc",
        f"PS1='{PROMPT}'\nbind 'set show-all-if-ambiguous on'\nbind 'set page-completions off'\n",
    ),
    "zsh": (".zshrc", f"PS1='{PROMPT}'\nautoload -Uz compinit && compinit -u\n"),
    "fish": (
        ".config/fish/config.fish",
        f"function fish_prompt; echo -n '{PROMPT}'; end\nset fish_greeting\n",
    ),
}
CONTROL = re.compile(
    r"\x1b\[[0-9;?>=<]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|[\x07\x0f]|\x1b[\]P][^\x07\x1b]*(?:\x07|\x1b\\)"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the command on its PATH."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "scaffold"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -P -m scaffold "$@"\n'
    )
    command.chmod(0o755)
    return tmp_path


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, home: Path) -> Iterator[pexpect.spawn[str]]:
    """The shell as its owner has it, once completion is installed and a new one was begun."""
    if not shutil.which(request.param):
        missing(f"{request.param} is not installed")
    name, settings = SETTINGS[request.param]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(settings)
    with begin(request.param, home) as first:
        first.sendline("scaffold --install-completion")
        first.expect("completion installed", timeout=PATIENCE)
    with begin(request.param, home) as second:
        yield second


def begin(shell: str, home: Path) -> pexpect.spawn[str]:
    arguments = SHELLS[shell]
    if shell == "bash":
        arguments = ["--noprofile", "--rcfile", str(home / ".bashrc"), "-i"]
    child = pexpect.spawn(
        shell,
        arguments,
        env={
            "HOME": str(home),
            "PATH": f"{home / 'bin'}:/usr/bin:/bin",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        },
        cwd=str(home),
        encoding="utf-8",
        dimensions=(60, 200),
        timeout=PATIENCE,
    )
    child.expect_exact(PROMPT)
    return child


def after_tab(terminal: pexpect.spawn[str], line: str, *wanted: str) -> str:
    """What is shown when Tab was pressed behind `line`, as soon as all of `wanted` is there."""
    terminal.send(line + "\t")
    deadline = time.monotonic() + PATIENCE
    seen = ""
    while not all(word in shown(seen) for word in wanted):
        assert time.monotonic() < deadline, f"no {wanted} in {shown(seen)!r}"
        try:
            seen += terminal.read_nonblocking(4096, timeout=0.2)
        except pexpect.TIMEOUT:
            if shown(seen).endswith(line):
                terminal.send("\t")  # some shells list on the second one
    return shown(seen)


def shown(data: str) -> str:
    return CONTROL.sub("", data)


@pytest.mark.slow
def test_tab_offers_the_commands(terminal: pexpect.spawn[str]) -> None:
    after_tab(terminal, "scaffold ", "new", "advise", "list", "show", "schema")


@pytest.mark.slow
def test_tab_offers_the_answers_to_a_question(terminal: pexpect.spawn[str]) -> None:
    seen = after_tab(terminal, "scaffold new my-svc --framework f", "flask", "falcon", "fastapi")
    assert "django" not in seen


@pytest.mark.slow
def test_tab_completes_what_can_only_be_one(terminal: pexpect.spawn[str]) -> None:
    after_tab(terminal, "scaffold new my-svc --database p", "--database postgresql")


def test_a_shell_that_asks_gets_answers_and_no_error(checkout: Checkout, tmp_path: Path) -> None:
    asked = {"_SCAFFOLD_COMPLETE": "complete_bash", "COMP_WORDS": "scaffold sh", "COMP_CWORD": "1"}
    ran = checkout.scaffold(cwd=tmp_path, **asked)
    assert (ran.code, ran.out.split(), ran.err) == (0, ["show"], "")
    assert list(tmp_path.iterdir()) == []
