"""A Flask service from its other front doors: the test client and the command line."""

from __future__ import annotations

import pytest

from tests.contract.conftest import NewDatabase, Target
from tests.owner.case import Case
from tests.owner.front_doors import Own, assert_passes, assert_serves

pytestmark = pytest.mark.any_database

TEST_CLIENT = '''\
"""The same responses from Flask's test client as over HTTP."""

from stock_keeper.app import create_app
from stock_keeper.settings import Settings


def test_the_test_client_gets_what_a_client_gets(settings: Settings, database: object) -> None:
    client = create_app(settings).test_client()
    created = client.post("/v1/items", json={"name": "bolt"})
    assert created.status_code == 201
    found = client.get(created.headers["Location"])
    assert (found.json, found.headers["ETag"]) == (created.json, created.headers["ETag"])
    taken = client.post("/v1/items", json={"name": "bolt"})
    assert (taken.status_code, taken.json["detail"]) == (409, "Another item has this name.")
    assert taken.headers["Content-Type"] == "application/problem+json"
    assert client.post("/v1/items", data=b" " * 1_048_577).status_code == 413
    unknown = client.get("/v1/nothing", headers={"X-Request-ID": "mine"})
    assert (unknown.status_code, unknown.json["request_id"]) == (404, "mine")
    assert unknown.headers["X-Request-ID"] == "mine"
    assert client.head("/v1/items").data == b""
    assert client.get("/readyz").json["status"] == "pass"
'''


@pytest.mark.contract("O8")
def test_the_test_client_gets_what_a_client_gets(target: Target, own: Own) -> None:
    assert_passes(own, target.framework, TEST_CLIENT)


@pytest.mark.contract("O9")
def test_the_command_line_of_flask_lists_and_serves(
    target: Target, own: Own, new_database: NewDatabase
) -> None:
    project = own(target.framework, Case("O9", "command line"))
    environment = {"DATABASE_URL": "sqlite:///unused.db"}
    flask = ("-m", "flask", "--app", "stock_keeper.app")
    listed = project.run(*flask, "routes", environment=environment)
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "/v1/items/<item_id>" in listed.stdout
    assert_serves(project, new_database, *flask, "run", "--port", "{port}")
