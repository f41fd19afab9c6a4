"""N11: what is in the environment beside the service's own variables changes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Launch
from tests.contract.items import ITEMS, fresh_name
from tests.servers import wait_until
from tests.services import TEMPLATES, Project, Service, uv_environment

# What servers, gateways and frameworks read, each with a value that would be noticed.
FOREIGN = {
    "CONTENT_LENGTH": "77",
    "CONTENT_TYPE": "text/plain",
    "HTTP_CONTENT_ENCODING": "gzip",
    "HTTP_HOST": "elsewhere.example",
    "HTTP_IF_MATCH": '"nothing"',
    "HTTP_TRANSFER_ENCODING": "chunked",
    "REQUEST_METHOD": "DELETE",
    "SCRIPT_NAME": "/elsewhere",
    "DEBUG": "1",
    "DJANGO_SETTINGS_MODULE": "nowhere.settings",
    "FLASK_DEBUG": "1",
    "FLASK_APP": "nowhere",
    "GRANIAN_PORT": "1",
    "GRANIAN_WORKERS": "3",
    "PYRAMID_DEBUG_ALL": "1",
    "PYRAMID_PREVENT_HTTP_CACHE": "1",
    "SANIC_KEEP_ALIVE": "False",
    "SANIC_REQUEST_MAX_SIZE": "1",
    "WEB_CONCURRENCY": "3",
}
# What a developer's shell may have for the service itself.
CONFIGURED = {
    "ALLOWED_HOSTS": "only.example.com",
    "AMQP_URL": "none",
    "DATABASE_TIMEOUT_SECONDS": "soon",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "DRAIN_SECONDS": "60",
    "HOST": "nowhere.invalid",
    "LOG_LEVEL": "critical",
    "MAX_BODY_BYTES": "10",
    "PORT": "0",
    "SECRET_KEY": "weak",
    "allowed_hosts": "another.example.com",
}
VARYING = {"date", "etag", "location", "x-request-id"}
VARYING_MEMBERS = {"created_at", "id", "name", "next_cursor", "request_id", "updated_at"}


def answers(service: Service) -> list[Any]:
    """The answers to some requests, without what differs from one request to the next."""
    http = service.http
    wait_until(lambda: http.get("/readyz").is_success, 20, "ready")  # a broker takes its time
    return [
        comparable(answer)
        for answer in (
            http.get("/livez"),
            http.get("/readyz"),
            http.get("/v1/nowhere"),
            http.post(ITEMS, json={"name": fresh_name()}),
            http.post(ITEMS, content=b"{", headers={"Content-Type": "application/json"}),
            http.delete(f"{ITEMS}/none"),
            http.get(ITEMS, params={"limit": "none"}),
        )
    ]


def comparable(answer: httpx.Response) -> Any:
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    headers.pop("content-length", None)  # a name may be longer than another
    body = answer.json()
    return answer.status_code, headers, {k: v for k, v in body.items() if k not in VARYING_MEMBERS}


@pytest.mark.any_framework
@pytest.mark.contract("N11")
@pytest.mark.any_database
def test_variables_that_it_does_not_read_change_nothing(service: Service, launch: Launch) -> None:
    assert answers(launch(**FOREIGN)) == answers(service)


def own_tests(project: Project, environment: Mapping[str, str], *options: str) -> None:
    ran = subprocess.run(
        [project.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=project.folder,
        env={**uv_environment(), **project.surroundings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]


def files_of_own_tests(project: Project) -> list[str]:
    """The service's own tests; those that all frameworks share are Flask's."""
    shared = {path.name.removesuffix(".jinja") for path in (TEMPLATES / "shared/tests").iterdir()}
    template = TEMPLATES / project.framework / "project/tests"
    of_the_framework = {path.name.removesuffix(".jinja") for path in template.iterdir()}
    return [
        f"tests/{path.name}"
        for path in sorted((project.folder / "tests").glob("test_*.py"))
        if path.name in of_the_framework or path.name not in shared or project.framework == "flask"
    ]


@pytest.mark.contract("N11", "P1")
def test_own_tests_of_the_framework_see_an_environment_of_their_own(
    framework_project: Project,
) -> None:
    own_tests(framework_project, FOREIGN | CONFIGURED, *files_of_own_tests(framework_project))


@pytest.mark.slow
@pytest.mark.contract("N11", "P1")
def test_own_tests_see_an_environment_of_their_own(framework_project: Project) -> None:
    own_tests(framework_project, FOREIGN | CONFIGURED)
