"""The database in production: roles of their own, TLS that is checked, a copy that comes back."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.deployment.conftest import Rendering
from tests.deployment.tools import expect_exit, program, run
from tests.servers import Forwarder, PgBouncer, Postgres, postgres, postgres_url, wait_until
from tests.services import NAME, PACKAGE, Project, Projects

pytestmark = pytest.mark.contract("D3")

Renderings = dict[tuple[str, str, str], Rendering]


def tools(name: str) -> str:
    """A program of PostgreSQL's, from the newest version on this machine."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))
    return found or program(name, "postgresql-client")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A PostgreSQL with a certificate for its address."""
    with postgres() as one:
        key, certificate = (one.folder / "data" / name for name in ("server.key", "server.crt"))
        request = [program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2",
                   "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                   "-subj", "/CN=database", "-addext", "subjectAltName=IP:127.0.0.1",
                   "-keyout", key, "-out", certificate]  # fmt: skip
        expect_exit(run(request))
        for path in (key, certificate):
            shutil.chown(path, (one.folder / "data").owner())
            path.chmod(0o600)
        with psycopg.connect(one.url(), autocommit=True) as connection:
            connection.execute("alter system set ssl = on")
            connection.execute("select pg_reload_conf()")
        yield one


@pytest.fixture(scope="module")
def authority(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificates") / "ca.crt"
    path.write_bytes((server.folder / "data/server.crt").read_bytes())
    return path


@pytest.fixture
def roles(
    framework: str, renderings: Renderings, server: Postgres
) -> Iterator[Callable[[str], str]]:
    """The database that ``roles.sql`` makes; gives a role's URL."""
    rendering = renderings[framework, "postgresql", "gitlab"]
    command = [tools("psql"), server.url(), "--quiet", "--set=migrate_password=m",
               "--set=service_password=s",
               f"--file={rendering.folder / 'deploy/postgresql/roles.sql'}"]  # fmt: skip
    expect_exit(run(command))
    passwords = {PACKAGE: "s", f"{PACKAGE}_migrate": "m"}
    yield lambda role: postgres_url("127.0.0.1", server.port, PACKAGE, role, passwords[role])
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"drop database {PACKAGE} with (force)")  # type: ignore[arg-type]
        connection.execute(f"drop role {PACKAGE}, {PACKAGE}_migrate")  # type: ignore[arg-type]


def migrate(project: Project, url: str) -> subprocess.CompletedProcess[str]:
    return project.run("migrate", environment={"DATABASE_URL": url})


def test_the_service_works_without_the_right_to_change_the_schema(
    framework: str,
    projects: Projects,
    roles: Callable[[str], str],
    authority: Path,
) -> None:
    project = projects.get(framework)
    checked = f"?sslmode=verify-full&sslrootcert={authority}"
    assert migrate(project, roles(PACKAGE)).returncode, "the service's own role may not migrate"
    expect_exit(migrate(project, roles(f"{PACKAGE}_migrate") + checked))
    with project.service({"DATABASE_URL": roles(PACKAGE) + checked}) as service:
        wait_until(lambda: service.http.get("/readyz").status_code == 200, 10, "it is ready")
        made = service.http.post("/v1/items", json={"name": "bolt", "quantity": 5})
        assert made.status_code == 201
        where = made.headers["Location"]
        assert service.http.put(where, json={"name": "nut"}).status_code == 200
        assert service.http.delete(where).status_code == 204
    with psycopg.connect(roles(PACKAGE), autocommit=True) as connection:
        for statement in ("create table t (i int)", "drop table items", "truncate items"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def pooler(rendering: Rendering, server: Postgres) -> PgBouncer:
    """The component's own, with the secrets that its page has made, as PgBouncer reads them."""
    page = rendering.read("deploy/pgbouncer.md")
    (databases,) = re.findall(r"--from-literal=databases\.ini='(.+?)'", page, re.S)
    (users,) = re.findall(r"--from-literal=userlist\.txt='(.+?)'", page)
    files = {
        "databases.ini": databases.replace("database.example.com", "127.0.0.1").replace(
            "port=5432", f"port={server.port}"
        ),
        "userlist.txt": users.replace('"password"', '"s"') + "\n",
        "server-ca.crt": (server.folder / "data/server.crt").read_text(),
        "tls.crt": (server.folder / "data/server.crt").read_text(),
        "tls.key": (server.folder / "data/server.key").read_text(),
    }
    found = PgBouncer(server_port=server.port, files=files)
    (config,) = (
        one["data"]
        for one in rendering.with_components("pgbouncer")
        if one["kind"] == "ConfigMap" and "pgbouncer" in one["metadata"]["name"]
    )
    text = config["pgbouncer.ini"].replace("listen_port = 6432", f"listen_port = {found.port}")
    files["pgbouncer.ini"] = re.sub(r"/etc/pgbouncer/(secret|tls)", str(found.folder), text)
    return found


@pytest.mark.slow
def test_the_pooler_of_the_component_encrypts_both_ways_and_may_be_replaced(
    framework: str,
    projects: Projects,
    renderings: Renderings,
    server: Postgres,
    roles: Callable[[str], str],
    authority: Path,
) -> None:
    project = projects.get(framework)
    checked = f"?sslmode=verify-full&sslrootcert={authority}"
    direct = roles(PACKAGE) + checked
    expect_exit(migrate(project, roles(f"{PACKAGE}_migrate") + checked))
    rendering = renderings[framework, "postgresql", "gitlab"]
    with (
        pooler(rendering, server) as first,
        pooler(rendering, server) as second,
        Forwarder(first.port) as address,
    ):
        through = direct.replace(f":{server.port}/", f":{address.port}/")
        settings = {"DATABASE_URL": through, "DATABASE_DIRECT_URL": direct}
        with pytest.raises(psycopg.OperationalError, match="SSL required"):
            psycopg.connect(through.replace("verify-full", "disable"))
        with project.service(settings) as service:
            made = service.http.post("/v1/items", json={"name": "bolt"})
            assert made.status_code == 201
            with psycopg.connect(server.url()) as connection:
                query = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid)"
                query += f" where usename = '{PACKAGE}'"
                assert connection.execute(query.encode()).fetchone() == (True,)
            address.target = second.port
            first.interrupt()
            statuses = {service.http.get(made.headers["Location"]).status_code for _ in range(20)}
            assert statuses == {200}
            assert service.http.get("/readyz").status_code == 200


def script(rendering: Rendering, what: str, places: dict[str, Path]) -> list[str]:
    """The command of the job, with its folders in another place."""
    (job,) = (
        one
        for one in rendering.with_components("backup")
        if one["metadata"]["name"] == f"{NAME}-{what}" and one["kind"] == "CronJob"
    )
    container = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    command = [*container["command"], *container["args"]]
    for place, folder in places.items():
        assert place in mounted
        command = [part.replace(place, str(folder)) for part in command]
    return [sys.executable if part == "python" else part for part in command]


def test_a_copy_of_postgresql_comes_back_over_a_newer_schema(
    framework: str,
    projects: Projects,
    renderings: Renderings,
    roles: Callable[[str], str],
    tmp_path: Path,
) -> None:
    rendering = renderings[framework, "postgresql", "gitlab"]
    project = projects.get(framework)
    owner, service_url = roles(f"{PACKAGE}_migrate"), roles(PACKAGE)
    path = f"{Path(tools('pg_dump')).parent}:{os.environ['PATH']}"
    variables = os.environ | {"DATABASE_URL": owner, "PATH": path}
    places = {"/backups": tmp_path}
    expect_exit(migrate(project, owner))
    with project.service({"DATABASE_URL": service_url}) as service:
        assert service.http.post("/v1/items", json={"name": "kept"}).status_code == 201
        expect_exit(run(script(rendering, "backup", places), env=variables))
        assert service.http.post("/v1/items", json={"name": "lost"}).status_code == 201
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("create table newer (item bigint references items)")
    expect_exit(run(script(rendering, "restore", places), env=variables))
    expect_exit(migrate(project, owner))
    with project.service({"DATABASE_URL": service_url}) as service:
        names = [one["name"] for one in service.http.get("/v1/items").json()["items"]]
        assert names == ["kept"]
        assert service.http.post("/v1/items", json={"name": "new"}).status_code == 201
    with psycopg.connect(owner) as connection:
        assert connection.execute("select to_regclass('newer')").fetchone() == (None,)


def test_a_copy_of_sqlite_comes_back(
    framework: str, projects: Projects, renderings: Renderings, tmp_path: Path
) -> None:
    rendering = renderings[framework, "sqlite", "github"]
    project = projects.get(framework)
    data, backups = tmp_path / "data", tmp_path / "backups"
    data.mkdir()
    backups.mkdir()
    places = {"/backups": backups, "/data": data}
    database = {"DATABASE_URL": f"sqlite:///{data}/{NAME}.db"}
    with project.service(database) as service:
        assert service.http.post("/v1/items", json={"name": "kept"}).status_code == 201
        expect_exit(run(script(rendering, "backup", places)))
        assert service.http.post("/v1/items", json={"name": "lost"}).status_code == 201
    (copy,) = backups.iterdir()
    with sqlite3.connect(copy) as connection:
        assert connection.execute("select name from items").fetchall() == [("kept",)]
    expect_exit(run(script(rendering, "restore", places)))
    with project.service(database) as service:
        names = [one["name"] for one in service.http.get("/v1/items").json()["items"]]
        assert names == ["kept"]
