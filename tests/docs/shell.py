"""A shell in which a page is followed: what one command does is there for the next."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Self

from tests.deployment.tools import run
from tests.servers import free_port, process_tree, wait_for_death, wait_until

ADDRESS = "127.0.0.1:8000"  # where every page has its service
PATIENCE = 300  # seconds
PRESS_ENTER = Path(__file__).with_name("press_enter.py")


@dataclass(frozen=True)
class Said:
    """What a command printed, stdout and stderr as they came, and its exit code."""

    output: str
    code: int


class Shell:
    """bash in `folder`; the service that a page starts listens on a port of this shell's own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._port = free_port()
        self._log = folder.parent / "served.log"
        self._end = token_hex(8)
        self._serving: subprocess.Popen[bytes] | None = None
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={**environment, "PORT": str(self._port)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert self._bash.stdin
        self._bash.stdin.close()
        self._bash.wait(30)

    def type(self, command: str) -> Said:
        """Runs a command to its end, with nobody to ask and the state that the last one left."""
        assert self._bash.stdin
        assert self._bash.stdout
        command = command.replace(ADDRESS, self._address)
        # The exit code of this command is `$?` for the next one.
        self._bash.stdin.write(
            f"{{ {command}\n}} </dev/null\n"
            f"code=$?; printf '\\n%s %s\\n' {self._end} $code; (exit $code)\n"
        )
        self._bash.stdin.flush()
        lines: list[str] = []
        watch = threading.Timer(PATIENCE, self._kill)
        watch.start()
        for line in self._bash.stdout:
            if line.startswith(self._end):
                watch.cancel()
                output = "".join(lines).removesuffix("\n").replace(self._address, ADDRESS)
                return Said(output, int(line.split()[1]))
            lines.append(line)
        raise AssertionError(f"no end within {PATIENCE} s: $ {command}\n{''.join(lines)}")

    def _kill(self) -> None:
        """Ends the shell and what runs in it, so that whoever reads from it goes on."""
        os.killpg(self._bash.pid, signal.SIGKILL)

    def press_enter(self, command: str) -> Said:
        """The command at a terminal, with Enter for whatever it asks."""
        return self.type(shlex.join([sys.executable, str(PRESS_ENTER), *shlex.split(command)]))

    def serve(self, command: str) -> None:
        """Starts a command that goes on, and waits until it answers."""
        self.stop()
        folder = self.type("pwd").output.strip()
        variables = self.type("env --null").output.split("\0")
        with self._log.open("wb") as log:
            self._serving = subprocess.Popen(
                ["bash", "-c", f"exec env {command.replace(ADDRESS, self._address)}"],
                cwd=folder,
                env=dict(variable.split("=", 1) for variable in variables if "=" in variable),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: self._answers() or self._ended(), 60, f"$ {command}")
        assert not self._ended(), f"$ {command}\n{self._log.read_text()[-4000:]}"

    def stop(self) -> None:
        """Ends what serves, as an operator does."""
        if self._serving is None:
            return
        family = process_tree(self._serving.pid)
        self._serving.terminate()
        self._serving.wait(60)
        wait_for_death(family, 30)
        self._serving = None

    @property
    def _address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def _answers(self) -> bool:
        return run(["curl", "--silent", f"http://{self._address}/livez"]).returncode == 0

    def _ended(self) -> bool:
        return self._serving is not None and self._serving.poll() is not None


def clean_environment(home: Path, path: list[Path]) -> dict[str, str]:
    """A new home, and nothing of this process but where packages come from and are kept.

    `path` stands before the machine's own programs.
    """
    own_home = Path.home()
    kept = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(("UV_", "PIP_", "SSL_", "REQUESTS_")) or key.lower().endswith("_proxy")
    }
    configured = own_home / ".config" / "pip" / "pip.conf"
    return {
        **({"PIP_CONFIG_FILE": str(configured)} if configured.exists() else {}),
        "UV_CACHE_DIR": str(own_home / ".cache" / "uv"),
        **kept,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([*map(str, path), "/usr/local/bin", "/usr/bin", "/bin"]),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Ada"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "ada@example.com"),
    }
