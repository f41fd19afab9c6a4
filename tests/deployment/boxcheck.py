#!/usr/bin/env python3
"""Build and run a Dockerfile for real on a machine that cannot pull images.

Two commands, standard library only (Python 3.11+):

  boxcheck.py base
      Makes local stand-ins for the images our Dockerfiles start from
      (``python:X.Y-slim`` and ``ghcr.io/astral-sh/uv``) and puts them into the
      engine's image store under those very names, so that an unmodified
      ``FROM python:3.13-slim`` resolves without a registry.

  boxcheck.py check DIR --url http://127.0.0.1:8000/healthz
      Builds DIR/Dockerfile, runs the image, waits for the URL, runs the image's
      own HEALTHCHECK, sends SIGTERM, and prints what it saw as one JSON object.
      The exit status is 0 only if everything that was asked for held.

Engines: ``podman`` (the default: no daemon; apt-get install podman runc debootstrap) or
``docker`` (a daemon that already answers on DOCKER_HOST).

Environment:
  BOXCHECK_CACHE   where root file systems, the uv binary and podman's store live
                   (default: ~/.cache/boxcheck). Safe to delete at any time
                   (podman's store by ``podman system reset``, see ``clean``).

Why the stand-ins carry the host's CA bundle: a build's ``RUN uv sync`` talks to the
package index through whatever the host uses. Where that is a proxy with a CA of its
own, tools in the container must trust it. The bundle and two small config files
(/etc/pip.conf, /etc/uv/uv.toml) in the base do that; no ENV is set and no
Dockerfile changes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile
from typing import Any

# Bump when the recipe of a stand-in changes: it is part of the cache key.
RECIPE = 1

# Shared libraries that CPython's extension modules need beyond Debian's minbase.
PYTHON_LIBS = (
    "ca-certificates,netbase,tzdata,libssl3,libffi8,libsqlite3-0,liblzma5,"
    "libbz2-1.0,libreadline8,libuuid1,zlib1g,libncursesw6"
)
# Not in the official slim images either; or only good for building CPython itself.
PYTHON_LEAVE_OUT = (
    "test",
    "tests",
    "idlelib",
    "turtledemo",
    "tkinter",
    "__pycache__",
    "lib2to3",
)
HOST_CA = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
IMAGE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


class Failure(Exception):
    """Something the user can act on; printed without a traceback."""


def say(text: str) -> None:
    """Progress goes to stderr: stdout carries only the JSON report."""
    print(f"boxcheck: {text}", file=sys.stderr, flush=True)


def cache_dir() -> pathlib.Path:
    root = pathlib.Path(os.environ.get("BOXCHECK_CACHE", "~/.cache/boxcheck")).expanduser()
    root.mkdir(parents=True, exist_ok=True)
    return root.resolve()


def call(argv: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command, and put its own words into the error when it fails."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run(argv, text=True, check=False, **options)
    if done.returncode != 0:
        tail = ((done.stdout or "") + (done.stderr or "")).strip()[-4000:]
        raise Failure(f"{' '.join(argv[:4])} … exited {done.returncode}\n{tail}")
    return done


# --------------------------------------------------------------------------- engines


class Engine:
    """The few verbs that podman and docker spell alike, and where they differ."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.env = dict(os.environ)
        if shutil.which(name) is None:
            raise Failure(f"{name} is not installed (Debian: apt-get install {name})")
        if name == "podman":
            self._configure_podman()
        else:
            self("version", "--format", "{{.Server.Version}}")  # fails early without a daemon

    def _configure_podman(self) -> None:
        """Settings for a VM or container without systemd and with few privileges.

        * runc, because crun refuses hybrid cgroup v1/v2 hierarchies;
        * cgroupfs, because there is no systemd to ask;
        * explicit ulimits, because podman's defaults are above the hard limits of
          a process without CAP_SYS_RESOURCE, and setting them is then refused.
        """
        home = cache_dir() / "podman"
        home.mkdir(exist_ok=True)
        nofile = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] % (1 << 63), 1 << 20)
        pid_max = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text())
        nproc = min(resource.getrlimit(resource.RLIMIT_NPROC)[1] % (1 << 63), pid_max, 32768)
        (home / "containers.conf").write_text(
            "[containers]\n"
            f'default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]\n'
            "[engine]\n"
            'runtime = "runc"\n'
            'cgroup_manager = "cgroupfs"\n'
            'events_logger = "file"\n'
        )
        driver = os.environ.get("BOXCHECK_DRIVER", "overlay")  # "vfs" works everywhere, slowly
        (home / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver}"\nrunroot = "{home}/run"\ngraphroot = "{home}/graph"\n'
        )
        # An unqualified "FROM python:3.13-slim" means Docker Hub, as it does for docker.
        (home / "registries.conf").write_text(
            'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'
        )
        self.env |= {
            "CONTAINERS_CONF": str(home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf"),
        }

    def __call__(self, *argv: str, **options: Any) -> str:
        return (call([self.name, *argv], env=self.env, **options).stdout or "").strip()

    def try_(self, *argv: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        """Like a call, but a non-zero exit status is an answer."""
        return subprocess.run(
            [self.name, *argv],
            env=self.env,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )

    def image(self, ref: str) -> dict[str, Any] | None:
        done = subprocess.run(
            [self.name, "image", "inspect", ref],
            env=self.env,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
        return found[0] if found else None

    def label(self, ref: str, key: str) -> str | None:
        config = (self.image(ref) or {}).get("Config") or {}
        return (config.get("Labels") or {}).get(key)

    def import_tar(self, tar: pathlib.Path, ref: str, changes: list[str]) -> None:
        flags = [part for change in changes for part in ("--change", change)]
        self("import", *flags, str(tar), ref)


# ----------------------------------------------------------------------- base images


def find_python(version: str, given: str | None) -> pathlib.Path:
    """A CPython X.Y installation prefix on this machine to copy into the image."""
    if given:
        homes = [pathlib.Path(given)]
    else:
        pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
        newest_first = lambda p: [int(n) for n in re.findall(r"\d+", p.name)]  # noqa: E731
        homes = sorted(pyenv.glob(f"versions/{version}.*"), key=newest_first, reverse=True)
        homes.append(pathlib.Path(sys.base_prefix))
    for home in homes:
        if (home / "bin" / f"python{version}").exists() and home != pathlib.Path("/usr"):
            return home
    raise Failure(f"no CPython {version} found to copy; give one with --python-home PREFIX")


def apt_mirror() -> str:
    """The first binary repository that apt on this machine is set up with."""
    uris = call(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    ).stdout.split()
    if not uris:
        raise Failure("apt has no repository here; give one with --mirror")
    return uris[0]


def make_debian(suite: str, mirror: str | None) -> pathlib.Path:
    """A minimal Debian as a tar file, made once and kept."""
    mirror = mirror or apt_mirror()
    key = hashlib.sha256(f"{RECIPE} {suite} {mirror} {PYTHON_LIBS}".encode()).hexdigest()[:12]
    tar = cache_dir() / f"debian-{suite}-{key}.tar"
    if tar.exists():
        return tar
    if shutil.which("debootstrap") is None:
        raise Failure("debootstrap is not installed (Debian: apt-get install debootstrap)")
    say(f"debootstrap {suite} (about a minute, once)")
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="debootstrap-") as work:
        root = pathlib.Path(work) / "root"
        call(
            [
                "debootstrap",
                "--variant=minbase",
                f"--include={PYTHON_LIBS}",
                suite,
                str(root),
                mirror,
            ]
        )
        for pattern in (
            "var/lib/apt/lists/*",
            "var/cache/apt/*.bin",
            "var/cache/apt/archives/*.deb",
            "usr/share/doc/*",
            "usr/share/man/*",
            "usr/share/locale/*",
            "var/log/*.log",
        ):
            for path in root.glob(pattern):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        partial = pathlib.Path(work) / "root.tar"
        call(["tar", "--numeric-owner", "-C", str(root), "-cf", str(partial), "."])
        partial.rename(tar)  # atomic: an interrupted run leaves no half-made cache entry
    return tar


def make_python(
    version: str, home: pathlib.Path, suite: str, mirror: str | None
) -> tuple[pathlib.Path, str]:
    """Debian plus CPython under /usr/local, laid out as in the official slim image."""
    full = call(
        [
            str(home / "bin" / f"python{version}"),
            "-c",
            "import platform; print(platform.python_version())",
        ]
    ).stdout.strip()
    ca = hashlib.sha256(HOST_CA.read_bytes()).hexdigest() if HOST_CA.exists() else ""
    key = hashlib.sha256(
        f"{RECIPE} {suite} {mirror} {PYTHON_LIBS} {home} {full} {ca}".encode()
    ).hexdigest()[:12]
    tar = cache_dir() / f"python-{full}-{suite}-{key}.tar"
    if tar.exists():
        return tar, key
    debian = make_debian(suite, mirror)
    say(f"adding CPython {full} from {home}")
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="python-") as work:
        root = pathlib.Path(work) / "root"
        root.mkdir()
        call(["tar", "--numeric-owner", "-C", str(root), "-xf", str(debian)])
        local, name = root / "usr/local", f"python{version}"
        shutil.copy2(home / "bin" / name, local / "bin" / name)
        for alias in ("python3", "python"):
            (local / "bin" / alias).symlink_to(name)
        for lib in home.glob("lib/libpython*.so*"):
            shutil.copy2(lib, local / "lib" / lib.name, follow_symlinks=False)

        def left_out(folder: str, names: list[str]) -> set[str]:
            skip = {
                n
                for n in names
                if n in PYTHON_LEAVE_OUT or n.startswith("config-") or n.endswith(".a")
            }
            if folder.endswith("site-packages"):  # of what is installed there, only pip
                skip |= {n for n in names if not n.startswith("pip")}
            return skip

        shutil.copytree(home / "lib" / name, local / "lib" / name, symlinks=True, ignore=left_out)
        pip = local / "bin/pip"
        pip.write_text(
            f"#!/usr/local/bin/{name}\nimport sys\n"
            "from pip._internal.cli.main import main\nsys.exit(main())\n"
        )
        pip.chmod(0o755)
        (local / "bin/pip3").symlink_to("pip")
        objects = [str(p) for p in local.rglob("*.so*") if p.is_file() and not p.is_symlink()]
        if shutil.which("strip"):
            subprocess.run(
                ["strip", "--strip-unneeded", *objects, str(local / "bin" / name)],
                check=False,
                stderr=subprocess.DEVNULL,
            )
        # Trust what the host trusts, and tell uv and pip to look there.
        if HOST_CA.exists():
            shutil.copyfile(HOST_CA, root / "etc/ssl/certs/ca-certificates.crt")
        (root / "etc/uv").mkdir()
        (root / "etc/uv/uv.toml").write_text("system-certs = true\n")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        call(["chroot", str(root), "ldconfig"])
        call(
            [
                "chroot",
                str(root),
                "/usr/local/bin/python3",
                "-c",
                "import bz2, ctypes, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib",
            ]
        )
        for left in (root / "usr/local").rglob("__pycache__"):
            shutil.rmtree(left)
        partial = pathlib.Path(work) / "root.tar"
        call(["tar", "--numeric-owner", "-C", str(root), "-cf", str(partial), "."])
        partial.rename(tar)
    return tar, key


def make_uv(version: str | None) -> tuple[pathlib.Path, str]:
    """uv and uvx, out of the statically linked (musl) wheel, as a tar for a scratch image."""
    if version is None:  # the newest one already here, so that a second run needs no network
        have = sorted(cache_dir().glob("uv-*.tar"), key=lambda p: p.stat().st_mtime)
        if have:
            return have[-1], have[-1].stem.removeprefix("uv-")
    elif (cache_dir() / f"uv-{version}.tar").exists():
        return cache_dir() / f"uv-{version}.tar", version
    say("fetching the uv wheel from the package index")
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="uv-wheel-") as work:
        folder = pathlib.Path(work)
        call(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--platform",
                "musllinux_1_1_x86_64",
                "--dest",
                work,
                f"uv=={version}" if version else "uv",
            ]
        )
        wheel = next(folder.glob("uv-*.whl"))
        version = wheel.name.split("-")[1]
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if re.search(r"\.data/scripts/uvx?$", member):
                    out = folder / member.rsplit("/", 1)[1]
                    out.write_bytes(archive.read(member))
                    out.chmod(0o755)
        partial = folder / "uv.tar"
        call(
            [
                "tar",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "-C",
                work,
                "-cf",
                str(partial),
                "uv",
                "uvx",
            ]
        )
        tar = cache_dir() / f"uv-{version}.tar"
        partial.rename(tar)
    return tar, version


def command_base(args: argparse.Namespace) -> int:
    engine = Engine(args.engine)
    for version in args.python:
        home = find_python(version, args.python_home)
        tar, key = make_python(version, home, args.suite, args.mirror)
        ref = f"docker.io/library/python:{version}-slim"
        if engine.label(ref, "boxcheck.base") != key:
            engine.import_tar(
                tar,
                ref,
                [
                    f"ENV PATH={IMAGE_PATH}",
                    "ENV LANG=C.UTF-8",
                    f"ENV PYTHON_VERSION={tar.name.split('-')[1]}",
                    'CMD ["python3"]',
                    f"LABEL boxcheck.base={key}",
                ],
            )
        engine("tag", ref, f"docker.io/library/python:{version}-slim-{args.suite}")
        say(f"{ref} (+ -{args.suite}) ready")
    tar, version = make_uv(args.uv)
    ref = "ghcr.io/astral-sh/uv:latest"
    if engine.label(ref, "boxcheck.base") != version:
        engine.import_tar(tar, ref, ['ENTRYPOINT ["/uv"]', f"LABEL boxcheck.base={version}"])
    minor = version.rsplit(".", 1)[0]
    tags = dict.fromkeys([version, minor, *args.uv_tag])
    for tag in tags:
        engine("tag", ref, f"ghcr.io/astral-sh/uv:{tag}")
    say(f"{ref} is uv {version}; also tagged {', '.join(tags)}")
    return 0


# ----------------------------------------------------------------------------- check


def offline_dockerfile(
    engine: Engine, dockerfile: pathlib.Path, folder: str
) -> tuple[pathlib.Path, bool]:
    """The Dockerfile to hand to the engine.

    podman ignores a ``# syntax=`` line. docker would pull that image from Docker Hub,
    which is not to be had here, so the line (and nothing else) is blanked in a copy.
    """
    text = dockerfile.read_text()
    first, _, rest = text.partition("\n")
    if engine.name == "docker" and re.match(r"\s*#\s*syntax\s*=", first):
        copy = pathlib.Path(folder) / "Dockerfile"
        copy.write_text("#\n" + rest)
        return copy, True
    return dockerfile, False


def wait_until_healthy(engine: Engine, name: str, url: str, limit: float) -> float:
    started = time.monotonic()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    last = "no answer"
    while (spent := time.monotonic() - started) < limit:
        try:
            with opener.open(url, timeout=2) as answer:
                if 200 <= answer.status < 300:
                    return time.monotonic() - started
                last = f"status {answer.status}"
        except urllib.error.HTTPError as error:
            last = f"status {error.code}"
        except OSError as error:
            last = str(getattr(error, "reason", error))
        if engine("inspect", "--format", "{{.State.Running}}", name) != "true":
            code = engine("inspect", "--format", "{{.State.ExitCode}}", name)
            raise Failure(f"the container exited {code} before it was healthy ({last})")
        time.sleep(0.1)
    raise Failure(f"not healthy after {spent:.0f} s ({last})")


def real_uid(pid: int) -> int:
    """The uid as the kernel sees it from outside, not what the image claims."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[2])
    raise Failure(f"/proc/{pid}/status has no Uid line")


def healthcheck(engine: Engine, name: str, image: dict[str, Any]) -> bool | None:
    """Run the image's own HEALTHCHECK once, inside the container. None: it has none."""
    test = (
        (image.get("Config") or {}).get("Healthcheck")
        or image.get("HealthCheck")
        or image.get("Healthcheck")
        or {}
    ).get("Test")
    if not test or test[0] == "NONE":
        return None
    argv = ["/bin/sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]
    return engine.try_("exec", name, *argv, timeout=60).returncode == 0


def port_is_free(url: str) -> None:
    """Otherwise we would measure whatever is already there instead of our container."""
    parts = urllib.parse.urlsplit(url)
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((parts.hostname or "127.0.0.1", parts.port or 80)) == 0:
            raise Failure(f"something already listens on {parts.hostname}:{parts.port}")


def command_check(args: argparse.Namespace) -> int:
    engine = Engine(args.engine)
    context = pathlib.Path(args.dir).resolve()
    dockerfile = context / args.file
    if not dockerfile.is_file():
        raise Failure(f"{dockerfile} does not exist")
    run_id = uuid.uuid4().hex[:12]
    tag, name = args.tag or f"localhost/boxcheck:{run_id}", f"boxcheck-{run_id}"
    report: dict[str, object] = {"engine": args.engine, "dockerfile": str(dockerfile)}
    problems: list[str] = []
    port_is_free(args.url)

    # Build. The host's network, so that RUN steps reach the package index.
    build = ["build", "--network", "host", "--tag", tag]
    if args.engine == "podman":
        build += ["--format", "docker"]  # docker format: OCI has no HEALTHCHECK
    if args.target:
        build += ["--target", args.target]
    for pair in args.build_arg:
        build += ["--build-arg", pair]
    if args.no_cache:
        build += ["--no-cache"]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="boxcheck-") as work:
        chosen, dropped = offline_dockerfile(engine, dockerfile, work)
        done = subprocess.run(
            [engine.name, *build, "--file", str(chosen), str(context)],
            env=engine.env,
            stdout=sys.stderr,
            stderr=sys.stderr,
            check=False,
        )
    if done.returncode != 0:
        raise Failure(f"the build failed (exit status {done.returncode})")
    report["syntax_line_dropped"] = dropped
    report["build_seconds"] = round(time.monotonic() - started, 1)

    image = engine.image(tag) or {}
    report["image_mb"] = round(image.get("Size", 0) / 1e6, 1)
    # The final FROM's image: what the service adds on top of it is what we can influence.
    bases = re.findall(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", dockerfile.read_text(), re.M | re.I)
    base = engine.image(bases[-1]) if bases else None
    report["added_mb"] = round((image.get("Size", 0) - base["Size"]) / 1e6, 1) if base else None
    report["declared_user"] = (image.get("Config") or {}).get("User") or "root"

    run = ["run", "--detach", "--name", name, "--network", "host"]
    for pair in args.env:
        run += ["--env", pair]
    if args.hardened:  # what a Kubernetes "restricted" pod with a read-only root would get
        run += [
            "--read-only",
            "--tmpfs",
            "/tmp:rw,size=64m",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--memory",
            args.memory,
            "--pids-limit",
            args.pids,
        ]
    report["hardened"] = args.hardened
    try:
        engine(*run, tag)
        report["seconds_to_healthy"] = round(
            wait_until_healthy(engine, name, args.url, args.timeout), 2
        )
        report["uid"] = uid = real_uid(int(engine("inspect", "--format", "{{.State.Pid}}", name)))
        if uid == 0 and not args.allow_root:
            problems.append("it runs as root")
        report["healthcheck_ok"] = ok = healthcheck(engine, name, image)
        if ok is False:
            problems.append("the image's own HEALTHCHECK fails")
        # SIGTERM, as an orchestrator would; only then measure how long it takes to go.
        started = time.monotonic()
        engine("kill", "--signal", "TERM", name)
        try:
            waited = engine.try_("wait", name, timeout=args.grace)
            report["exit_code"] = code = int(waited.stdout.strip().splitlines()[-1])
            report["seconds_to_stop"] = round(time.monotonic() - started, 2)
            if code not in args.exit_code:
                problems.append(f"it exited {code} on SIGTERM")
        except subprocess.TimeoutExpired:
            report["exit_code"] = None
            problems.append(f"it was still running {args.grace:.0f} s after SIGTERM")
    except Failure as failure:
        problems.append(str(failure))
    finally:
        logs = engine.try_("logs", name).stdout
        if problems:
            say("last lines of the container's log:\n" + "\n".join((logs or "").splitlines()[-30:]))
        with contextlib.suppress(Exception):
            engine.try_("rm", "--force", name, timeout=60)
        if not (args.keep_image or args.tag):
            engine.try_("rmi", "--force", tag)
    report["problems"] = problems
    print(json.dumps(report, indent=2))
    return 1 if problems else 0


def command_clean(args: argparse.Namespace) -> int:
    """Empty podman's store under the cache folder; docker's is the daemon's own."""
    engine = Engine(args.engine)
    if args.engine == "podman":
        engine("system", "reset", "--force")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--engine", choices=("podman", "docker"), default="podman")
    commands = parser.add_subparsers(required=True)

    base = commands.add_parser("base", parents=[common], help="make the local base images")
    base.add_argument("--python", action="append", help="X.Y, repeatable (default 3.13)")
    base.add_argument("--python-home", help="CPython prefix to copy (default: the newest in pyenv)")
    base.add_argument("--suite", default="bookworm")
    base.add_argument("--mirror", help="Debian mirror (default: the one apt uses here)")
    base.add_argument("--uv", help="exact uv version (default: the cached one, else the newest)")
    base.add_argument("--uv-tag", action="append", default=[], help="further tag for the uv image")
    base.set_defaults(run=command_base)

    check = commands.add_parser("check", parents=[common], help="build, run and stop one image")
    check.add_argument("dir")
    check.add_argument("--file", default="Dockerfile")
    check.add_argument("--url", required=True, help="answers 2xx once the service is healthy")
    check.add_argument("--timeout", type=float, default=60, help="seconds to become healthy")
    check.add_argument("--grace", type=float, default=15, help="seconds to end after SIGTERM")
    check.add_argument(
        "--exit-code", type=int, action="append", help="accepted on SIGTERM (default 0)"
    )
    check.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    check.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    check.add_argument("--target", help="build stage")
    check.add_argument(
        "--hardened", action="store_true", help="read-only root, no capabilities, limits"
    )
    check.add_argument("--memory", default="256m", help="limit under --hardened")
    check.add_argument("--no-cache", action="store_true")
    check.add_argument("--allow-root", action="store_true")
    check.add_argument("--keep-image", action="store_true")
    check.add_argument("--tag", help="name the image so, and keep it")
    check.add_argument("--pids", default="256", help="limit of processes under --hardened")
    check.set_defaults(run=command_check)

    clean = commands.add_parser("clean", parents=[common], help="drop all images and containers")
    clean.set_defaults(run=command_clean)

    args = parser.parse_args()
    if getattr(args, "python", 0) is None:
        args.python = ["3.13"]
    if getattr(args, "exit_code", 0) is None:
        args.exit_code = [0]
    try:
        code: int = args.run(args)
    except Failure as failure:
        say(f"error: {failure}")
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
