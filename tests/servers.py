"""PostgreSQL and RabbitMQ of the tests' own: temporary folders, free ports, real faults.

    with postgres() as server:
        server.create_database("orders", "svc", "secret")
        server.freeze()     # SIGSTOP for every process: connections stay open, nothing answers
        server.resume()
        server.stop()       # connections are refused
        server.restart()

Where a binary is missing the test is skipped with the reason; with ``CI=true`` it fails.
``TEST_POSTGRES_URL`` and ``TEST_AMQP_URL`` name servers that already run, for tests that
need no fault: nobody may freeze a server that is not the tests' own.
"""

from __future__ import annotations

import contextlib
import csv
import getpass
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit

import httpx
import psutil
import psycopg
import pytest
from psycopg import sql

ADMIN = "postgres"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at this moment.

    Below those that systems give to outgoing connections, so that none of these takes it before
    the server does, and by chance, so that tests that run at once are not given the same.
    """
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return as soon as ``condition()`` is true; fail the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}", pytrace=False)
        time.sleep(0.02)


def missing(reason: str) -> None:
    """Skip for a reason of the machine; in CI nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true forbids to skip)", pytrace=False)
    pytest.skip(reason)


def process_tree(root: int) -> list[psutil.Process]:
    """The process and all its descendants that are alive, the root first."""
    try:
        parent = psutil.Process(root)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Neither gone nor dead and merely not yet reaped by its parent."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for_death(processes: Iterable[psutil.Process], seconds: float = 10) -> None:
    """Return when none is alive any more; fail the test after ``seconds``."""
    wait_until(lambda: not any(map(is_alive, processes)), seconds, f"{processes} are gone")


def signal_tree(root: int, number: signal.Signals) -> None:
    """Send a signal to a process and its descendants, the root first."""
    for process in process_tree(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@dataclass
class OwnServer:
    """A server process with a folder of its own; ``start`` and ``stop`` come from subclasses."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="server-")))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """End everything at once, whatever state it is in, and remove the folder."""
        if self.process is not None:
            family = process_tree(self.process.pid)
            signal_tree(self.process.pid, signal.SIGKILL)
            signal_tree(self.process.pid, signal.SIGCONT)
            self.process.wait(10)
            wait_for_death(family)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop every process of the server; the kernel still acknowledges for them."""
        assert self.process is not None
        signal_tree(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        for process in reversed(process_tree(self.process.pid)):
            process.send_signal(signal.SIGCONT)

    def _spawn(self, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=os.environ | environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_for(self, answers: Callable[[], bool], seconds: float) -> None:
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while not answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = (self.folder / "output").read_text(errors="replace")[-2000:]
                pytest.fail(f"{type(self).__name__} did not start:\n{output}", pytrace=False)
            time.sleep(0.05)


@dataclass
class Postgres(OwnServer):
    """A PostgreSQL cluster on 127.0.0.1; ``ADMIN`` may do everything, unasked.

    Unless it is ``durable`` it never waits for the disk.
    """

    durable: bool = False

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            self._create_cluster(data)
        self._spawn(
            self._as_owner([_postgres_binary("postgres"), "-D", str(data)]),
            {},
        )
        self._wait_for(self._answers, 30)

    def stop(self) -> None:
        """Fast shutdown: sessions are cut, later connections are refused."""
        assert self.process is not None
        self._server_process().send_signal(signal.SIGINT)
        self.process.wait(30)
        self.process = None

    def url(self, database: str = "postgres", user: str = ADMIN, password: str = "") -> str:
        return postgres_url("127.0.0.1", self.port, database, user, password)

    def create_database(self, name: str, user: str, password: str) -> str:
        """Make a role where it is missing and a database of its own; answers the role's URL."""
        return create_database(self.url(), name, user, password)

    def new_standby(self) -> Postgres:
        """A copy of this server that streams what is written here; not started yet."""
        standby = Postgres()
        shutil.chown(standby.folder, _cluster_owner())
        data = standby.folder / "data"
        source = ["-h", "127.0.0.1", "-p", str(self.port), "-U", ADMIN]
        command = [_postgres_binary("pg_basebackup"), "-D", str(data), "-R", "-c", "fast", *source]
        subprocess.run(self._as_owner(command), cwd=standby.folder, check=True, capture_output=True)
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(f"port = {standby.port}\n")
        return standby

    def follow(self, primary: Postgres) -> None:
        """Start again as a standby of another server, which was the standby of this one."""
        self.stop()
        data = self.folder / "data"
        with (data / "postgresql.conf").open("a") as configuration:
            address = f"host=127.0.0.1 port={primary.port} user={ADMIN}"
            configuration.write(f"primary_conninfo = '{address}'\n")
        (data / "standby.signal").touch()
        shutil.chown(data / "standby.signal", _cluster_owner())
        self.start()

    def promote(self) -> None:
        """Make the primary of a standby."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("select pg_promote()")

    def _create_cluster(self, data: Path) -> None:
        shutil.chown(self.folder, _cluster_owner())
        subprocess.run(
            self._as_owner(
                [
                    _postgres_binary("initdb"),
                    "-D",
                    str(data),
                    "-U",
                    ADMIN,
                    "-E",
                    "UTF8",
                    "--locale=C.UTF-8",
                    "--no-sync",
                    "-A",
                    "trust",
                ]
            ),
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": "''",
            "max_connections": "400",
            "fsync": "on" if self.durable else "off",
            "shared_buffers": "32MB",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(lines)
        (data / "pg_hba.conf").write_text(
            f"host all,replication {ADMIN} 127.0.0.1/32 trust\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )

    def _as_owner(self, command: list[str]) -> list[str]:
        owner = _cluster_owner()
        if owner == getpass.getuser():
            return command
        return ["runuser", "-u", owner, "--", *command]

    def _server_process(self) -> psutil.Process:
        """``runuser`` stays in between as the parent: signals go to the server itself."""
        assert self.process is not None
        family = process_tree(self.process.pid)
        return next(p for p in family if p.name() == "postgres")

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url(), connect_timeout=2).close()
            return True
        return False


@dataclass
class PgBouncer(OwnServer):
    """A pooler in front of a PostgreSQL: three sessions, shared between all transactions.

    `files` are written beside its configuration, and may have one in its place.
    """

    server_port: int = 0
    users: tuple[tuple[str, str], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> None:
        users = "".join(f'"{name}" "{password}"\n' for name, password in self.users)
        files = {"users.txt": users, "pgbouncer.ini": self._configuration(), **self.files}
        for name, text in files.items():
            (self.folder / name).write_text(text)
        owner = _cluster_owner()
        for path in (self.folder, *self.folder.iterdir()):
            shutil.chown(path, owner)
        command = [_system_binary("pgbouncer"), str(self.folder / "pgbouncer.ini")]
        if owner != getpass.getuser():
            command = ["runuser", "-u", owner, "--", *command]
        self._spawn(command, {})
        self._wait_for(self._answers, 10)

    def _configuration(self) -> str:
        return (
            "[databases]\n"
            f"* = host=127.0.0.1 port={self.server_port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {self.folder}/users.txt\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 500\n"
        )

    def interrupt(self) -> None:
        """End once no transaction is open; connections that are idle are cut."""
        assert self.process is not None
        for process in process_tree(self.process.pid):
            if process.name() == "pgbouncer":
                process.send_signal(signal.SIGINT)
        self.process.wait(10)

    def url(self, of_server: str) -> str:
        """The same database by way of the pooler."""
        return of_server.replace(f":{self.server_port}/", f":{self.port}/")

    def _answers(self) -> bool:
        return _accepts(self.port)


@dataclass
class HAProxy(OwnServer):
    """A load balancer that keeps connections for 60 s and sends no request twice.

    It strips ``prefix`` from the path, and answers 503 to all that does not begin with it.
    """

    server_port: int = 0
    prefix: str = ""

    def start(self) -> None:
        (self.folder / "haproxy.cfg").write_text(
            "defaults\n  mode http\n  retries 0\n"
            "  timeout connect 5s\n  timeout client 90s\n  timeout server 90s\n"
            f"frontend clients\n  bind 127.0.0.1:{self.port}\n  use_backend service if "
            f"{{ path_beg {self.prefix}/ }}\n"
            "  stats enable\n  stats uri /statistics\n"
            "backend service\n"
            f"  http-request replace-path {self.prefix}(/.*) \\1\n"
            f"  http-reuse never\n  server one 127.0.0.1:{self.server_port}\n"
        )
        self._spawn([_system_binary("haproxy"), "-db", "-f", str(self.folder / "haproxy.cfg")], {})
        self._wait_for(lambda: _accepts(self.port), 10)

    def connections(self) -> int:
        """How many it has opened to the service."""
        url = f"http://127.0.0.1:{self.port}/statistics;csv"
        lines = httpx.get(url).text.removeprefix("# ").splitlines()
        server = next(row for row in csv.DictReader(lines) if row["svname"] == "one")
        return int(server["connect"])


class Forwarder:
    """A TCP port that leads to another one, which can be exchanged, as an address does.

    A connection leads on to where it began.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._muted: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def forget(self) -> None:
        """Drop what the open connections send, without a word, as a firewall does."""
        self._muted = set(self._open)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if source not in self._muted:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@dataclass
class RabbitMQ(OwnServer):
    """A RabbitMQ node on 127.0.0.1 with its own name, cookie and port mapper."""

    mapper_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        if not _rabbitmq_server():
            missing("rabbitmq-server is not installed")
        plugins = self.folder / "plugins"
        plugins.write_text("[].\n")
        environment = {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self._spawn([_rabbitmq_server()], environment)
        self._wait_for(self._answers, 90)

    def stop(self) -> None:
        assert self.process is not None
        family = process_tree(self.process.pid)
        signal_tree(self.process.pid, signal.SIGTERM)
        self.process.wait(30)
        wait_for_death(family)
        self.process = None

    def close(self) -> None:
        super().close()
        subprocess.run(
            ["epmd", "-port", str(self.mapper_port), "-kill"], capture_output=True, check=False
        )

    def _answers(self) -> bool:
        """The broker speaks AMQP 0-9-1: it opens with Connection.Start (class 10, method 10)."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
        ):
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(11)[7:11] == b"\x00\x0a\x00\x0a"
        return False


@contextlib.contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A PostgreSQL of the test's own, gone with the block."""
    if not _find_postgres("postgres"):
        missing("PostgreSQL's server binaries are not installed")
    with Postgres(durable=durable) as server:
        yield server


@contextlib.contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ of the test's own, gone with the block."""
    with RabbitMQ() as server:
        yield server


@contextlib.contextmanager
def any_postgres_url() -> Iterator[str]:
    """The URL of an administrator: ``TEST_POSTGRES_URL``, or of a server of the tests' own."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
        return
    with postgres() as server:
        yield server.url()


@contextlib.contextmanager
def any_amqp_url() -> Iterator[str]:
    """``TEST_AMQP_URL``, or the URL of a broker of the tests' own."""
    if url := os.environ.get("TEST_AMQP_URL"):
        yield url
        return
    with rabbitmq() as server:
        yield server.url


def create_database(
    admin_url: str, name: str, user: str, password: str, like: str = "template1"
) -> str:
    """Make the role where it is missing and the database anew; answers the role's URL.

    ``like`` is the database that it begins as a copy of; nobody may be connected to that one.
    """
    parts = urlsplit(admin_url)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        role = sql.Identifier(user)
        if not connection.execute("select 1 from pg_roles where rolname = %s", (user,)).fetchone():
            connection.execute(
                sql.SQL("create role {} login password {}").format(role, sql.Literal(password))
            )
        database = sql.Identifier(name)
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(database))
        model = sql.Identifier(like)
        connection.execute(
            sql.SQL("create database {} owner {} template {}").format(database, role, model)
        )
    return postgres_url(parts.hostname or "127.0.0.1", parts.port or 5432, name, user, password)


def as_admin(admin_url: str, database: str) -> str:
    """The administrator's URL for another database of the same server."""
    parts = urlsplit(admin_url)
    return postgres_url(
        parts.hostname or "127.0.0.1",
        parts.port or 5432,
        database,
        unquote(parts.username or ADMIN),
        unquote(parts.password or ""),
    )


def postgres_url(host: str, port: int, database: str, user: str, password: str) -> str:
    secret = f":{quote(password, safe='')}" if password else ""
    return f"postgresql://{quote(user, safe='')}{secret}@{host}:{port}/{quote(database, safe='')}"


def _cluster_owner() -> str:
    """PostgreSQL refuses to run as root: then the packages' own user runs it."""
    if os.geteuid() != 0:
        return getpass.getuser()
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    missing("PostgreSQL does not run as root, and there is no user postgres")
    raise AssertionError("unreachable")


def _find_postgres(name: str) -> str:
    if found := shutil.which(name):
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return next((str(path) for path in installed if os.access(path, os.X_OK)), "")


def _postgres_binary(name: str) -> str:
    found = _find_postgres(name)
    if not found:
        missing(f"PostgreSQL's {name} is not installed")
    return found


def _system_binary(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        missing(f"{name} is not installed")
        raise AssertionError("unreachable")
    return found


def _accepts(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=5),
    ):
        return True
    return False


def _rabbitmq_server() -> str:
    """The script beside the libraries: Debian's wrapper on PATH insists on its system folders."""
    inside = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    if os.access(inside, os.X_OK):
        return inside
    return shutil.which("rabbitmq-server") or ""
