"""Flask-RESTful with problems as errors and strict query strings."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import flask_restful
from flask import Request, Response, request
from flask_restful.reqparse import Argument, Namespace, RequestParser
from werkzeug.exceptions import HTTPException

from .content import Content
from .http import Problem, read_query
from .resource import PageRequest, Resource
from .tables import Record

Row = TypeVar("Row", bound=Record)
Sent = TypeVar("Sent", bound=Content)


class Api(flask_restful.Api):
    """The Api, but all errors go to the application's error handlers."""

    def error_router(self, original_handler: Callable[[Exception], Response], e: Exception) -> Any:
        # Added to the error by `flask_restful.abort(403, message="why")`.
        message = (getattr(e, "data", None) or {}).get("message")
        if isinstance(e, HTTPException) and message:
            details = message.items() if isinstance(message, Mapping) else ()
            e = Problem(
                e.code or 500,
                "" if details else str(message),
                errors=[(str(name), str(why)) for name, why in details],
                headers={name: value for name, value in e.get_headers() if name != "Content-Type"},
            )
        elif told := self.errors.get(type(e).__name__):
            more = {name: told[name] for name in told if name not in {"status", "message"}}
            e = Problem(told.get("status", 500), told.get("message", ""), members=more)
        return original_handler(e)


class QueryArgument(Argument):
    """A parameter of the query string; it may not be repeated."""

    def source(self, request: Request) -> dict[str, str]:
        return read_query(request.query_string.decode("latin-1"))


class QueryParser(RequestParser):
    """Parses a query string; a `Problem` with 422 names every invalid parameter."""

    def __init__(self) -> None:
        super().__init__(argument_class=QueryArgument, bundle_errors=True)

    def parse_args(self, *args: Any, **options: Any) -> Namespace:
        try:
            return super().parse_args(*args, **options)
        except HTTPException as error:
            refused: dict[str, str] = getattr(error, "data", {}).get("message", {})
            raise Problem(422, "The request is not valid.", errors=refused.items()) from None


class PageParser(QueryParser):
    """Parses the query string of a resource's list."""

    def __init__(self, resource: Resource[Row, Sent]) -> None:
        super().__init__()
        self._resource = resource
        for name in resource.parameters:
            self.add_argument(name, store_missing=False)

    def parse_page(self) -> PageRequest:
        """The requested page; parameters that are not arguments are rejected."""
        sent = read_query(request.query_string.decode("latin-1"))
        return self._resource.page_request({**sent, **self.parse_args()})
