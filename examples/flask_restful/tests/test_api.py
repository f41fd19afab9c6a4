"""What is particular to Flask-RESTful: its Api, its resources and its arguments."""

from collections.abc import Iterator

import httpx
import pytest
from flask import Flask, Response
from flask_restful import Resource, abort

from stock_keeper.app import create_app
from stock_keeper.runtime.api import Api, QueryParser
from stock_keeper.runtime.http import Problem
from stock_keeper.settings import Settings


class OutOfTea(Exception):
    """An error that an owner answers in a way of their own."""


class Pot(Resource):
    def get(self) -> None:
        raise OutOfTea

    def put(self) -> None:
        raise RuntimeError("kettle")

    def delete(self) -> None:
        abort(403, message="not yours")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    Api(app).add_resource(Pot, "/pot")
    app.register_error_handler(OutOfTea, lambda error: Response("none left", status=418))
    yield app
    app.database.close()  # type: ignore[attr-defined]


def test_a_handler_of_flask_answers_what_a_resource_raises(app: Flask) -> None:
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://test") as client:
        answer = client.get("/pot")
        assert (answer.status_code, answer.text) == (418, "none left")


def test_an_error_of_a_resource_stays_inside(app: Flask) -> None:
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://test") as client:
        answer = client.put("/pot")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "kettle" not in answer.text


def test_every_argument_that_is_wrong_is_named(app: Flask) -> None:
    parser = QueryParser()
    parser.add_argument("limit", type=int)
    parser.add_argument("since", type=int)
    with app.test_request_context("/?limit=x&since=y"), pytest.raises(Problem) as caught:
        parser.parse_args()
    assert caught.value.status == 422
    assert {error["pointer"] for error in caught.value.errors} == {"limit", "since"}


def test_what_abort_says_is_not_lost(app: Flask) -> None:
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://test") as client:
        answer = client.delete("/pot")
    assert (answer.status_code, answer.json()["detail"]) == (403, "not yours")


@pytest.mark.parametrize("query", ["limit=1&limit=1", "x=1", "limit=1%0a", "limit=%2B1"])
def test_an_argument_is_taken_exactly(client: httpx.Client, query: str) -> None:
    refused = client.get(f"/v1/products?{query}")
    assert refused.status_code == 422
    assert len(refused.json()["errors"]) == 1


def test_what_is_accepted_changes_nothing(client: httpx.Client) -> None:
    for accept in ("text/html", "*/*;q=0", ";;"):
        answer = client.get("/v1/products", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
