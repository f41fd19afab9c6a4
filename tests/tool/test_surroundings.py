"""The command where something that it might count on is missing, full, closed or forbidden."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.tool import warm
from tests.tool.conftest import REPOSITORY, Checkout, Ran

NEW = "new my-svc --defaults --no-lock --no-git"


def shell(checkout: Checkout, line: str, cwd: Path, **environment: str) -> Ran:
    """Runs a line of bash in which `scaffold` is the command."""
    done = subprocess.run(
        ["bash", "-c", f'scaffold() {{ {_quoted(checkout.command)} "$@"; }}; {line}'],
        cwd=cwd,
        env=checkout.environment | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def _quoted(command: list[str]) -> str:
    return " ".join(f"'{word}'" for word in command)


def as_a_user(
    checkout: Checkout, line: str, cwd: Path, umask: int | None = None, **environment: str
) -> Ran:
    """Runs the command where permissions count, which they do not for root."""
    given = {key: value for key, value in checkout.environment.items() if key != "HOME"}
    return checkout.warm(line.split(), cwd, given | environment, umask=umask, as_a_user=True)


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    return folder


def test_a_folder_that_cannot_be_written_is_told(checkout: Checkout, locked: Path) -> None:
    ran = as_a_user(checkout, NEW, locked)
    assert ran.code == 3
    assert ran.err == "scaffold: my-svc cannot be written: Permission denied.\n"
    assert list(locked.iterdir()) == []


def test_folders_that_cannot_be_made_all_are_made_not_at_all(
    checkout: Checkout, locked: Path
) -> None:
    ran = as_a_user(checkout, f"{NEW} --output a/b", locked)
    assert (ran.code, ran.err.endswith("Permission denied.\n")) == (3, True)
    assert list(locked.iterdir()) == []
    long = "x" * 250
    too_long = f"{NEW} --output a/{long}/{long}x{long}"
    ran = checkout.scaffold(*too_long.split(), cwd=locked.parent)
    assert (ran.code, ran.err.endswith("File name too long.\n")) == (3, True)
    assert list(locked.parent.iterdir()) == [locked]


@pytest.mark.parametrize("umask", [0o777, 0o277, 0o577])
def test_a_umask_that_forbids_everything_leaves_nothing(
    checkout: Checkout, tmp_path: Path, umask: int
) -> None:
    ran = as_a_user(checkout, NEW, tmp_path, umask)
    assert ran.code == 3, ran
    assert ran.err.startswith("scaffold: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("home", ["read-only", "missing", "unset", "a file"])
def test_a_home_that_is_of_no_use_does_no_harm(
    checkout: Checkout, tmp_path: Path, locked: Path, home: str
) -> None:
    (tmp_path / "file").touch()
    homes = {"read-only": locked, "missing": tmp_path / "none", "a file": tmp_path / "file"}
    given = {} if home == "unset" else {"HOME": str(homes[home])}
    (tmp_path / "out").mkdir()
    ran = as_a_user(checkout, NEW, tmp_path / "out", **given)
    assert (ran.code, ran.err) == (0, "")
    assert list(locked.iterdir()) == []


# ---- a disk that is full or read-only


def on_a_small_disk(
    checkout: Checkout, folder: Path, options: str, line: str, **environment: str
) -> Ran:
    """Runs `line` in `folder`, which is a file system of its own; stdout ends with what is left."""
    disk = f"mount -t tmpfs -o {options} tmpfs '{folder}' && cd '{folder}'"
    inner = f"{disk} && ( {line} ); code=$?; ls -A; exit $code"
    wrapped = ["unshare", "--map-root-user", "--mount", "bash", "-c"]
    if subprocess.run([*wrapped, disk], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")
    line = inner.replace("scaffold ", f"{_quoted(checkout.command)} ")
    return shell(checkout, f"{' '.join(wrapped)} {_bash(line)}", folder, **environment)


def _bash(line: str) -> str:
    return "$'" + line.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.parametrize(
    "options",
    [
        "size=4k",
        "nr_inodes=9",
        pytest.param("size=16k", marks=pytest.mark.slow),
        pytest.param("nr_inodes=3", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_is_told_and_left_as_it_was(
    checkout: Checkout, tmp_path: Path, options: str
) -> None:
    ran = on_a_small_disk(checkout, tmp_path, options, f"scaffold {NEW}")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "scaffold: my-svc cannot be written: No space left on device.\n"


def test_a_read_only_disk_is_told(checkout: Checkout, tmp_path: Path) -> None:
    ran = on_a_small_disk(checkout, tmp_path, "ro", f"scaffold {NEW}")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "scaffold: my-svc cannot be written: Read-only file system.\n"


@pytest.mark.parametrize(
    "line", [f"{NEW} --dry-run", pytest.param("show flask", marks=pytest.mark.slow)]
)
def test_a_full_temporary_folder_is_told_where_one_is_needed(
    checkout: Checkout, tmp_path: Path, line: str
) -> None:
    ran = on_a_small_disk(checkout, tmp_path, "size=4k", f"TMPDIR=. scaffold {line}")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("scaffold: The temporary folder cannot be written: No space left")
    assert ran.err.endswith("Set TMPDIR to use another one.\n")


def test_a_service_needs_no_temporary_folder_and_no_network(
    checkout: Checkout, tmp_path: Path
) -> None:
    alone = "unshare --map-root-user --net true"
    if subprocess.run(alone.split(), capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody leave its network")
    command = f"TMPDIR=/nonexistent unshare --map-root-user --net {_quoted(checkout.command)}"
    ran = shell(checkout, f"{command} {NEW}", tmp_path)
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.slow
def test_without_a_network_the_service_stands_and_the_lock_is_left_to_do(tmp_path: Path) -> None:
    """With the templates as they are, and a uv that has nothing in its cache."""
    alone = "unshare --map-root-user --net".split()
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody leave its network")
    here = Checkout(REPOSITORY)
    line = f"{' '.join(alone)} {_quoted(here.command)} new my-svc --defaults --no-git --json"
    ran = shell(here, line, tmp_path, UV_CACHE_DIR=str(tmp_path / "cache"))
    assert ran.code == 0
    (warning,) = ran.json["warnings"]
    assert warning.startswith("`uv.lock` was not created; run `uv lock` later. (uv: ")
    assert (tmp_path / "my-svc" / "pyproject.toml").exists()
    assert not (tmp_path / "my-svc" / "uv.lock").exists()


# ---- what a shell does


def test_a_limit_on_file_size_is_told(checkout: Checkout, tmp_path: Path) -> None:
    ran = shell(checkout, f"ulimit -f 0; scaffold {NEW} >/dev/null", tmp_path)
    assert (ran.code, ran.err.endswith("cannot be written: File too large.\n")) == (3, True)


@pytest.mark.parametrize("most", [6, pytest.param(9, marks=pytest.mark.slow)])
def test_a_limit_on_open_files_leaves_nothing(
    checkout: Checkout, tmp_path: Path, most: int
) -> None:
    ran = shell(checkout, f"ulimit -n {most}; scaffold {NEW}", tmp_path)
    assert ran.code == 0 or list(tmp_path.iterdir()) == [], ran


@pytest.mark.parametrize("line", ["list --json", "schema", "advise --explain", NEW])
def test_a_reader_that_goes_away_is_no_failure(
    checkout: Checkout, tmp_path: Path, line: str
) -> None:
    assert unread(checkout, line, tmp_path) == (0, "")
    assert (tmp_path / "my-svc").exists() == (line == NEW)
    assert unread(checkout, f"{line} --nope", tmp_path, err_too=True) == (2, "")


def unread(checkout: Checkout, line: str, cwd: Path, err_too: bool = False) -> tuple[int, str]:
    """The exit code and stderr of a run whose stdout, and stderr, has nobody to read it."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(os.devnull) as given, tempfile.TemporaryFile() as err:  # noqa: PTH123
        streams = (given.fileno(), writer, writer if err_too else err.fileno())
        run = warm.started().run(checkout.root, line.split(), cwd, checkout.environment, streams)
        os.close(writer)
        code = run.wait(60)
        err.seek(0)
        return code, err.read().decode()


def test_a_reader_that_goes_away_in_a_shell_is_none_either(
    checkout: Checkout, tmp_path: Path
) -> None:
    line = f"scaffold {NEW} --nope 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    assert shell(checkout, line, tmp_path).code == 2


def test_nohup_is_heeded(checkout: Checkout, tmp_path: Path) -> None:
    watch = (
        "import os, signal, sys, scaffold.cli as c; import scaffold.__main__ as m; "
        "c.run = lambda _: os.kill(os.getpid(), signal.SIGHUP) or 0; m.main()"
    )
    python = checkout.command[0]
    assert shell(checkout, f'trap "" HUP; "{python}" -P -c "{watch}"', tmp_path).code == 0
    assert shell(checkout, f'"{python}" -P -c "{watch}"', tmp_path).code == 130


def test_an_interruption_in_a_destructor_is_not_lost(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        "import os, signal, sys, time\n"
        "import scaffold.cli, scaffold.__main__ as entry\n"
        "class Dying:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(0)\n"
        "def run(_):\n"
        "    Dying()\n"
        "    time.sleep(30)\n"
        "    return 0\n"
        "scaffold.cli.run = run\n"
        "entry.main()\n"
    )
    ran = shell(checkout, f"'{checkout.command[0]}' run.py", tmp_path)
    assert (ran.code, ran.err) == (130, "")


def test_a_path_that_cannot_be_printed_is_told_in_one_line(
    checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "a\nb\x1b[31m").write_text("")
    ran = shell(checkout, f"scaffold {NEW} --output $'a\\nb\\e[31m'", tmp_path)
    assert ran.code == 3
    assert ran.err == (
        f'scaffold: "{tmp_path}/a\\nb\\x1b[31m" is not a folder; choose another --output.\n'
    )
