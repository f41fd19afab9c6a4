"""A Pyramid service from its other front doors: its unit tests, WebTest and the command line."""

from __future__ import annotations

import subprocess

import pytest

from tests.contract.conftest import Target
from tests.owner.case import Case
from tests.owner.front_doors import Own, assert_passes
from tests.services import plain_environment

pytestmark = pytest.mark.any_database

TEST_CLIENT = '''\
"""The same responses from WebTest as over HTTP, and a view that a test calls by itself."""

from pyramid import testing
from pyramid.interfaces import IViewClassifier
from stock_keeper.app import create_app
from stock_keeper.settings import Settings
from webtest import TestApp


def test_webtest_gets_what_a_client_gets(settings: Settings, database: object) -> None:
    client = TestApp(create_app(settings))
    created = client.post_json("/v1/items", {"name": "bolt"}, status=201)
    found = client.get(created.headers["Location"])
    assert (found.json, found.headers["ETag"]) == (created.json, created.headers["ETag"])
    taken = client.post_json("/v1/items", {"name": "bolt"}, status=409)
    assert taken.json["detail"] == "Another item has this name."
    assert taken.headers["Content-Type"] == "application/problem+json"
    client.post("/v1/items", b" " * 1_048_577, status=413)
    unknown = client.get("/v1/nothing", headers={"X-Request-ID": "mine"}, status=404)
    assert unknown.json["request_id"] == unknown.headers["X-Request-ID"] == "mine"
    assert client.head("/v1/items").body == b""
    assert client.get("/readyz").json["status"] == "pass"


def test_a_view_is_called_without_the_service(settings: Settings, database: object) -> None:
    from stock_keeper.items import routes

    app = create_app(settings)
    with testing.testConfig(registry=app.registry):
        page = routes.list_items(testing.DummyRequest(query_string=""))
    assert page.json["items"] == []
'''


@pytest.mark.contract("O8")
def test_webtest_gets_what_a_client_gets(target: Target, own: Own) -> None:
    assert_passes(own, target.framework, TEST_CLIENT, packages=("webtest",))


@pytest.mark.contract("O9")
def test_pyramids_command_lines_know_the_service(target: Target, own: Own) -> None:
    project = own(target.framework, Case("O9", "command line"))

    def said(module: str, *arguments: str, typed: str = "") -> str:
        ran = subprocess.run(
            [
                project.python,
                "-c",
                f"from pyramid.scripts.{module} import main; main()",
                *arguments,
            ],
            cwd=project.folder,
            env=plain_environment()
            | dict(project.project.surroundings)
            | {"DATABASE_URL": "sqlite:///unused.db"},
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    routes = said("proutes", "development.ini")
    assert "/v1/items/{item_id}" in routes
    assert "PATCH" in routes
    assert "stock_keeper.items.routes" in said("pviews", "development.ini", "/v1/items")
    assert "Implicit Tween Chain" in said("ptweens", "development.ini")
    typed = "print('the registry is', registry.package_name)\n"
    assert "the registry is stock_keeper" in said("pshell", "development.ini", typed=typed)
