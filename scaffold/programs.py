"""Runs other programs (git, uv), with nobody to ask. subprocess only here.

Their environment is built from an allow-list: a variable such as GIT_DIR or UV_PROJECT would make
them work on another project than the one of their folder.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scaffold.errors import (
    BadSettings,
    DiskFull,
    ForeignOwner,
    IndexLocked,
    NoPermission,
    NoSolution,
    NotInGit,
    ProgramFailed,
    Unreachable,
)
from scaffold.escaping import escape

SECONDS = 120
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PASSED = frozenset(
    (
        # the user and the system
        "PATH HOME USER LOGNAME SHELL TMPDIR TMP TEMP LD_LIBRARY_PATH DYLD_LIBRARY_PATH "
        "XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR "
        "SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT APPDATA LOCALAPPDATA PROGRAMDATA "
        "PROGRAMFILES USERPROFILE USERNAME HOMEDRIVE HOMEPATH "
        # the network: proxies, certificates, credentials
        "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR "
        "REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NETRC SSH_AUTH_SOCK SSH_AGENT_PID "
        "GIT_SSH GIT_SSH_COMMAND GIT_SSH_VARIANT GIT_ASKPASS GIT_PROXY_COMMAND "
        "GIT_SSL_CAINFO GIT_SSL_CAPATH GIT_SSL_CERT GIT_SSL_KEY GIT_SSL_NO_VERIFY "
        # git: where its settings are, who commits, how far it looks for a repository
        "GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_CONFIG_COUNT "
        "GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE EMAIL "
        "GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE "
        "GIT_CEILING_DIRECTORIES GIT_DISCOVERY_ACROSS_FILESYSTEM "
        # uv: its indexes, cache and Pythons
        "UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_KEYRING_PROVIDER "
        "UV_INSECURE_HOST UV_NATIVE_TLS UV_SYSTEM_CERTS UV_OFFLINE UV_CACHE_DIR UV_NO_CACHE "
        "UV_CONFIG_FILE UV_NO_CONFIG UV_HTTP_TIMEOUT UV_EXCLUDE_NEWER UV_CREDENTIALS_DIR "
        "UV_PYTHON_DOWNLOADS UV_PYTHON_INSTALL_DIR UV_PYTHON_INSTALL_MIRROR UV_PYTHON_PREFERENCE"
    ).split()
)
PASSED_FAMILIES = ("UV_INDEX", "UV_CONCURRENT_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
# Their refusals are read, so they are in English; no question is asked, no lock taken to read.
SET = {
    "LC_ALL": "C.UTF-8",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
}
# The user's settings for git count where they describe the working tree (autocrlf, filters), not
# where they run programs or change the order or the meaning of what git prints.
PLAIN_GIT = [
    word
    for setting in (
        f"core.hooksPath={os.devnull}",
        f"diff.orderFile={os.devnull}",
        "core.fsmonitor=false",
        "core.quotePath=false",
        "core.safecrlf=false",
        "commit.gpgSign=false",
        "log.showSignature=false",
        "gc.auto=0",
        "maintenance.auto=false",
    )
    for word in ("-c", setting)
]
# For files that are to have the bytes that are stored, on every machine.
AS_STORED = (
    *("-c", "core.autocrlf=false", "-c", "core.eol=lf"),
    *("-c", f"core.attributesFile={os.devnull}", "-c", f"core.excludesFile={os.devnull}"),
)


# How a reason is told by git, uv and the system; the first that fits counts.
REASONS: Mapping[type[ProgramFailed], str] = {
    NotInGit: r"not a git repository \(or any",
    ForeignOwner: r"dubious ownership|unsafe repository|owned by someone else",
    DiskFull: r"no space left|quota exceeded|file too large|out of memory",
    IndexLocked: r"\.lock'?: file exists",
    NoPermission: (
        r"permission denied|insufficient permission|operation not permitted|read-only file system"
    ),
    NoSolution: r"no solution found|unsatisfiable|resolution .*failed",
    Unreachable: (
        r"could ?n[o']t? (resolve|connect)|failed to (fetch|connect)|network|dns error"
        r"|connection (refused|reset|timed)|error sending request|could not read from remote"
    ),
    BadSettings: (
        r"bad .*config|config .*(invalid|unable)|unable to access '.*config|tell me who you are"
        r"|empty ident|auto-detect email|external filter|cannot use bare repository"
        r"|failed to parse: .*\.toml|transport '.*' not allowed"
    ),
}


class Ended(NamedTuple):
    code: int
    out: bytes
    err: bytes

    @property
    def lines(self) -> list[str]:
        """What it complained of; hints and warnings only if there is nothing else."""
        plain = COLOURS.sub("", self.err.decode("utf-8", "replace"))
        every = [line.strip() for line in plain.splitlines() if line.strip()]
        return [line for line in every if not line.startswith(("hint:", "warning:"))] or every

    @property
    def complaint(self) -> str:
        """The line that gives the reason."""
        return classified(self.lines)[1]


def classified(lines: Sequence[str]) -> tuple[type[ProgramFailed], str]:
    """Why a program failed, and the first of its `lines` that says so."""
    for kind, pattern in REASONS.items():
        if said := [line for line in lines if re.search(pattern, line, re.IGNORECASE)]:
            return kind, escape(said[0])
    errors = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return ProgramFailed, escape(next(iter(errors or lines), "it gave no reason"))


def found(program: str) -> bool:
    return shutil.which(program) is not None


def environment_of(own: Mapping[str, str]) -> dict[str, str]:
    """What of the environment `own` other programs get to see."""
    passed = {
        name: value
        for name, value in own.items()
        if name.upper() in PASSED or name.startswith(PASSED_FAMILIES)
    }
    return passed | SET


def run(
    folder: Path,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
    seconds: float = SECONDS,
) -> Ended:
    """Runs `command` in `folder` to its end; `given` is what it reads.

    Raises ProgramFailed where it is not there, or takes longer than `seconds`.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment_of(os.environ) | dict(environment or {}),
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed(f"{command[0]}: it took longer than {seconds:g} seconds") from error
    except OSError as error:
        kind, why = classified([error.strerror or str(error)])
        raise kind(f"{command[0]}: {why}") from error
    return Ended(done.returncode, done.stdout, done.stderr)


def git(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> bytes:
    """What git prints, run the same whatever the user's settings. Raises ProgramFailed."""
    ended = run(folder, ["git", *PLAIN_GIT, *arguments], environment, given)
    if ended.code:
        raise failure(arguments, ended)
    return ended.out


def ruff(folder: Path, *arguments: str, given: bytes = b"") -> Ended:
    """Runs the formatter that is installed with this package."""
    from ruff import find_ruff_bin

    return run(folder, [find_ruff_bin(), *arguments], given=given)


def failure(arguments: Sequence[str], ended: Ended) -> ProgramFailed:
    """What git refused, as an error that says which command did."""
    kind, line = classified(ended.lines)
    settings = {at + 1 for at, word in enumerate(arguments) if word == "-c"}
    words = (w for at, w in enumerate(arguments) if at not in settings and not w.startswith("-"))
    return kind(f"git {next(words)}: {line}")


def git_line(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """The one line that git prints. Raises ProgramFailed."""
    return os.fsdecode(git(folder, *arguments, environment=environment)).removesuffix("\n")


def git_paths(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
) -> list[str]:
    """The paths that git prints with NUL between them. Raises ProgramFailed."""
    printed = git(folder, *arguments, environment=environment, given=given)
    return [os.fsdecode(path) for path in printed.split(b"\0") if path]
