"""What owners of a Flask-RESTful service do."""

from __future__ import annotations

import httpx

from tests.contract.items import assert_problem, fresh_name
from tests.owner.case import Case, Edit, replaced
from tests.owner.cases import flask
from tests.owner.cases.growth import growth
from tests.owner.cases.objects import objects
from tests.owner.cases.rules import rules
from tests.owner.cases.sqlalchemy import copied, models
from tests.owner.questions import ask_of_rooms_and_bookings, ask_of_work_beside_requests

FIRST = "    items.add_resources(api)\n"
API = "    api = Api(app)\n"


def added(*lines: str, imports: str = "", api: str = API) -> Edit:
    """An edit of `app.py`: imports, another Api, and lines in `create_app` after those of items."""
    block = "".join(f"    {line}\n" for line in lines)
    return replaced(
        ("from flask import Flask\n", f"from flask import Flask\n{imports}"),
        (API, api),
        (FIRST, FIRST + block),
    )


ROOMS_AND_BOOKINGS = models() | {
    "{package}/rooms/routes.py": copied("room", "rooms"),
    "{package}/bookings/routes.py": copied("booking", "bookings"),
    "{package}/app.py": added(
        "rooms.add_resources(api)",
        "bookings.add_resources(api)",
        imports="\nfrom .bookings import routes as bookings\nfrom .rooms import routes as rooms\n",
    ),
}

SIGNED_IN = '''\
"""Who may call the methods of a resource."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from .access import check


def signed_in(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def checked(*args: Any, **kwargs: Any) -> Any:
        check()
        return method(*args, **kwargs)

    return checked
'''

ONE_RESOURCE: dict[str, Edit] = {
    "{package}/access.py": flask.CHECK,
    "{package}/signed_in.py": SIGNED_IN,
    "{package}/items/routes.py": replaced(
        ("from .model import", "from ..signed_in import signed_in\nfrom .model import"),
        (
            "class SingleItem(Resource):\n",
            "class SingleItem(Resource):\n    method_decorators = [signed_in]\n\n",
        ),
    ),
}


def ask_of_one_resource(client: httpx.Client) -> None:
    """A decorator of a resource's methods is asked for that resource, and for no other."""
    made = client.post("/v1/items", json={"name": fresh_name()})
    assert made.status_code == 201
    there = made.headers["Location"]
    for method, body in (("GET", None), ("PUT", {"name": 7}), ("PATCH", {}), ("DELETE", None)):
        answer = client.request(method, there, json=body)
        assert assert_problem(answer, 401)["detail"] == "Sign in first."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
    signed = {"Authorization": "Bearer good"}
    assert client.get(there, headers=signed).json() == made.json()
    assert client.delete(there, headers=signed).status_code == 204


ERRORS = '''\
"""Flask-RESTful's own errors, and what else an owner raises."""

from typing import Any

from flask_restful import Api, Resource, abort, fields, marshal_with
from flask_restful.reqparse import RequestParser
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import ServiceUnavailable, Unauthorized

STATUSES = {"Sold": {"status": 410, "message": "It was here once.", "shop": "closed"}}

arguments = RequestParser(bundle_errors=True)
arguments.add_argument("seats", type=int, required=True, location="json", help="a whole number")
arguments.add_argument("floor", type=int, choices=(1, 2), location="json", help="1 or 2")


class Sold(Exception):
    """Named in the Api's `errors`."""


class Aborted(Resource):
    def get(self, status: int) -> None:
        abort(status, message=f"because of {status}")


class Raised(Resource):
    def get(self, kind: str) -> None:
        match kind:
            case "plain":
                abort(403)
            case "fields":
                abort(422, message={"seats": "too few"})
            case "unauthorized":
                bearer = WWWAuthenticate("bearer", {"realm": "x"})
                raise Unauthorized("who are you", www_authenticate=bearer)
            case "closed":
                raise ServiceUnavailable("closed for lunch", retry_after=60)
            case "sold":
                raise Sold("secret name")
        raise RuntimeError("secret words")


class Parsed(Resource):
    def post(self) -> dict[str, Any]:
        return dict(arguments.parse_args())


class Shown(Resource):
    @marshal_with({"name": fields.String})
    def get(self) -> tuple[dict[str, str], int, dict[str, str]]:
        return {"name": "bolt", "secret": "words"}, 203, {"X-Mine": "yes"}


def add_resources(api: Api) -> None:
    api.add_resource(Aborted, "/e/<int:status>")
    api.add_resource(Raised, "/e/<kind>")
    api.add_resource(Parsed, "/parsed")
    api.add_resource(Shown, "/shown")
'''


def ask_of_errors(client: httpx.Client) -> None:
    for status in (400, 403, 404, 409, 410, 418, 422):
        answer = client.get(f"/e/{status}")
        assert (answer.status_code, answer.json()["detail"]) == (status, f"because of {status}")
    assert 'http_route="/e/{status}"' in client.get("/metrics").text
    assert_problem(client.get("/e/plain"), 403)
    fields = assert_problem(client.get("/e/fields"), 422)
    assert fields["errors"] == [{"pointer": "seats", "detail": "too few"}]
    unauthorized = client.get("/e/unauthorized")
    assert assert_problem(unauthorized, 401)["detail"] == "who are you"
    assert unauthorized.headers["WWW-Authenticate"].lower().startswith("bearer realm=")
    closed = client.get("/e/closed")
    assert assert_problem(closed, 503)["detail"] == "closed for lunch"
    assert closed.headers["Retry-After"] == "60"
    sold = client.get("/e/sold")
    assert (sold.status_code, sold.headers["Content-Type"]) == (410, "application/problem+json")
    assert (sold.json()["detail"], sold.json()["shop"]) == ("It was here once.", "closed")
    assert "secret" not in client.get("/e/sold").text + client.get("/e/broken").text
    assert_problem(client.get("/e/broken"), 500)
    assert client.post("/parsed", json={"seats": "7"}).json() == {"seats": 7, "floor": None}
    wrong = client.post("/parsed", json={"floor": 3})
    assert wrong.status_code == 400
    assert {(one["pointer"], one["detail"]) for one in wrong.json()["errors"]} == {
        ("seats", "a whole number"),
        ("floor", "1 or 2"),
    }
    shown = client.get("/shown")
    assert (shown.status_code, shown.json()) == (203, {"name": "bolt"})
    assert shown.headers["X-Mine"] == "yes"


BESIDE = '''\
"""Work beside requests: a periodic job, and a task that outlives the response."""

import time
from functools import partial

from flask import Response
from flask_restful import Api, Resource

from .items.model import ITEMS, ItemContent
from .runtime.background import every, submit
from .runtime.database import Database
from .runtime.resource import PageRequest
from .runtime.service import database
from .runtime.store import Store


def add_resources(api: Api, database: Database) -> None:
    every(0.2, partial(delete_old, Store(ITEMS, database)))
    api.add_resource(Letter, "/v1/letters/<name>")


def delete_old(items: Store) -> None:
    for item in items.page(PageRequest()).rows:
        if item.name.startswith("old"):
            items.delete(item.id)


class Letter(Resource):
    def post(self, name: str) -> Response:
        """Send a letter."""
        submit(send, Store(ITEMS, database()), name)
        return Response(status=202)


def send(items: Store, name: str) -> None:
    time.sleep(2)
    if name == "unknown":
        raise LookupError(name)
    items.create(ItemContent(name=name))
'''


CASES = [
    Case("O1 O2 O3 R7 R9", "rooms and bookings", ROOMS_AND_BOOKINGS, ask_of_rooms_and_bookings),
    Case(
        "O4",
        "a check of who may call",
        {
            "{package}/access.py": flask.CHECK,
            "{package}/app.py": added(
                "app.before_request(check)", imports="\nfrom .access import check\n"
            ),
        },
        flask.ask_of_a_check,
    ),
    Case(
        "O4",
        "a check that nobody awaits",
        {
            "{package}/access.py": flask.FORGOTTEN,
            "{package}/app.py": added(
                "app.before_request(check)", imports="\nfrom .access import check\n"
            ),
        },
        flask.ask_of_a_coroutine,
    ),
    Case("O4", "a decorator of one resource", ONE_RESOURCE, ask_of_one_resource),
    Case(
        "O6",
        "a setting",
        {
            "{package}/greeting.py": flask.GREETING,
            "{package}/settings.py": flask.SETTING,
            "{package}/app.py": added(
                "app.register_blueprint(greeting.blueprint)", imports="\nfrom . import greeting\n"
            ),
        },
        flask.ask_of_a_setting,
        environment={"GREETING": "good day"},
    ),
    Case(
        "O7",
        "errors",
        {
            "{package}/errors.py": ERRORS,
            "{package}/app.py": added(
                "errors.add_resources(api)",
                imports="\nfrom . import errors\n",
                api="    api = Api(app, errors=errors.STATUSES)\n",
            ),
        },
        ask_of_errors,
    ),
    Case(
        "O10",
        "a transaction over two stores",
        {
            "{package}/transfer.py": flask.TRANSFER,
            "{package}/app.py": added(
                "app.register_blueprint(transfer.blueprint)", imports="\nfrom . import transfer\n"
            ),
        },
        flask.ask_of_a_transaction,
    ),
    Case(
        "O11",
        "cors limits and sign in",
        {
            "{package}/extensions.py": flask.EXTENSIONS,
            "{package}/app.py": added(
                "extensions.add(app)", imports="\nfrom . import extensions\n"
            ),
        },
        flask.ask_of_extensions,
        packages=("flask-cors", "flask-limiter", "flask-login"),
    ),
    Case(
        "O13",
        "a job and a task",
        {
            "{package}/beside.py": BESIDE,
            "{package}/app.py": added(
                "beside.add_resources(api, app.database)", imports="\nfrom . import beside\n"
            ),
        },
        ask_of_work_beside_requests,
    ),
    growth(),
    rules(),
    objects(),
]
