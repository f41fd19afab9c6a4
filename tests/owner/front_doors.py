"""A service from its other front doors: the framework's test client and its command line."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.conftest import NewDatabase
from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case
from tests.owner.conftest import OwnedProject
from tests.servers import free_port

Own = Callable[[str, Case], OwnedProject]


def assert_passes(own: Own, framework: str, text: str, packages: tuple[str, ...] = ()) -> None:
    """The text is a module of tests that passes among the service's own."""
    case = Case("O8", "test client", {"tests/test_client.py": text}, packages=packages)
    ran = own(framework, case).run("-m", "pytest", "-q", "tests/test_client.py")
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "passed" in ran.stdout


def assert_serves(project: OwnedProject, new_database: NewDatabase, *command: str) -> None:
    """The framework's own command line serves; ``{port}`` in it is a free one."""
    port = str(free_port())
    environment = {"DATABASE_URL": new_database().url, "PORT": port}
    assert project.run("-m", "stock_keeper", "migrate", environment=environment).returncode == 0
    arguments = (project.python, *(part.replace("{port}", port) for part in command))
    with project.project.service(environment, command=arguments, folder=project.folder) as service:
        name = fresh_name()
        assert service.http.post("/v1/items", json={"name": name}).status_code == 201
        assert service.http.get("/v1/items").json()["items"][0]["name"] == name
        assert service.http.get("/docs").status_code == 200
        assert service.http.get("/livez").status_code == 200
        large = service.http.post("/v1/items", content=b" " * 1_048_577)
        assert_problem(large, 413)
