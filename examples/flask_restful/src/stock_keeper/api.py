"""Flask-RESTful as this service wants it: errors are Flask's to answer, and a query is exact."""

from collections.abc import Callable
from typing import Any

from flask import Request, Response
from flask_restful import Api
from flask_restful.reqparse import Argument, Namespace, RequestParser
from werkzeug.exceptions import HTTPException

from .runtime.http import Problem, read_query


class Resources(Api):
    """The Api, but every error goes to the handlers of `create_app`, wherever it comes from."""

    def error_router(self, original_handler: Callable[[Exception], Response], e: Exception) -> Any:
        return original_handler(e)


class QueryArgument(Argument):
    """A parameter of the query; it may not be repeated."""

    def source(self, request: Request) -> dict[str, str]:
        return read_query(request.query_string.decode("latin-1"))


class QueryParser(RequestParser):
    """Parses a query; its refusal, a `Problem` with 422, names every parameter that is wrong."""

    def __init__(self) -> None:
        super().__init__(argument_class=QueryArgument, bundle_errors=True)

    def parse_args(self, *args: Any, **options: Any) -> Namespace:
        try:
            return super().parse_args(*args, **options)
        except HTTPException as error:
            refused: dict[str, str] = getattr(error, "data", {}).get("message", {})
            raise Problem(422, "The request is not valid.", errors=refused.items()) from None
