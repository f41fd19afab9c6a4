"""A Falcon service from its other front doors: the test client and the command line."""

from __future__ import annotations

import pytest

from tests.contract.conftest import Target
from tests.owner.case import Case
from tests.owner.front_doors import Own, assert_passes

pytestmark = pytest.mark.any_database

TEST_CLIENT = '''\
"""The same responses from Falcon's test client as over HTTP."""

from falcon.testing import TestClient
from stock_keeper.app import create_app
from stock_keeper.settings import Settings


def test_the_test_client_gets_what_a_client_gets(settings: Settings, database: object) -> None:
    client = TestClient(create_app(settings))
    created = client.simulate_post("/v1/items", json={"name": "bolt"})
    assert created.status_code == 201
    found = client.simulate_get(created.headers["Location"])
    assert (found.json, found.headers["ETag"]) == (created.json, created.headers["ETag"])
    taken = client.simulate_post("/v1/items", json={"name": "bolt"})
    assert (taken.status_code, taken.json["detail"]) == (409, "Another item has this name.")
    assert taken.headers["Content-Type"] == "application/problem+json"
    assert client.simulate_post("/v1/items", body=b" " * 1_048_577).status_code == 413
    unknown = client.simulate_get("/v1/nothing", headers={"X-Request-ID": "mine"})
    assert (unknown.status_code, unknown.json["request_id"]) == (404, "mine")
    assert unknown.headers["X-Request-ID"] == "mine"
    assert client.simulate_head("/v1/items").content == b""
    assert client.simulate_get("/readyz").json["status"] == "pass"
'''


@pytest.mark.contract("O8")
def test_the_test_client_gets_what_a_client_gets(target: Target, own: Own) -> None:
    assert_passes(own, target.framework, TEST_CLIENT)


@pytest.mark.contract("O9")
def test_falcons_command_line_lists_routes_and_middleware(target: Target, own: Own) -> None:
    project = own(target.framework, Case("O9", "command line"))
    environment = {"DATABASE_URL": "sqlite:///unused.db"}
    command = ("-m", "falcon.cmd.inspect_app", "stock_keeper.app:create_app")
    listed = project.run(*command, "--verbose", environment=environment)
    assert listed.returncode == 0, listed.stdout + listed.stderr
    for route in ("/v1/items", "/v1/items/{item_id}"):
        assert f"{route} - " in listed.stdout
    assert "on_patch" in listed.stdout
    assert "Middleware" in listed.stdout
