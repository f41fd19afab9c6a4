"""Routes: path templates, and what the OpenAPI document and Allow say about them."""

import re
from collections.abc import Iterator
from inspect import isclass
from typing import Any, Final, cast
from urllib.parse import unquote

from tornado.httputil import HTTPServerRequest
from tornado.routing import PathMatches, Rule, RuleRouter
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from .middleware import Response
from .stream import wants_stream

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_NOT_IMPLEMENTED: Final = RequestHandler.get
_OPERATORS: Final = re.compile(r"[?*+|()]")


class TemplateMatches(PathMatches):
    """Matches a path template, and passes it to the metrics and the log."""

    def __init__(self, template: str) -> None:
        super().__init__(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))
        self.template = template

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        found = super().match(request)
        if found is not None:
            cast(Response, request.connection).context_of_request.route = self.template
        return found


class StreamMatches(TemplateMatches):
    """Matches WebSocket handshakes only; for others the path may have another meaning."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return super().match(request) if wants_stream(request.headers) else None


def rules(router: Any) -> Iterator[Rule]:
    """The rules with a handler of the service; streams and Tornado's own handlers are not."""
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            yield from rules(rule.target)
        elif (
            isinstance(rule.matcher, PathMatches)
            and isclass(rule.target)
            and issubclass(rule.target, RequestHandler)
            and not issubclass(rule.target, WebSocketHandler)
            and not rule.target.__module__.startswith("tornado.")
        ):
            yield rule


def template(matcher: PathMatches) -> str | None:
    """The path with its parameters as `{name}`; None if the pattern is not a plain path."""
    if isinstance(matcher, TemplateMatches):
        return matcher.template
    names = {index: name for name, index in matcher.regex.groupindex.items()}
    groups = range(1, matcher.regex.groups + 1)
    try:
        path = matcher.reverse(*(f"{{{names.get(group, f'arg{group}')}}}" for group in groups))
    except (TypeError, ValueError):  # Tornado cannot reverse every pattern
        return None
    return None if path is None or _OPERATORS.search(unquote(path)) else unquote(path)


def methods_of(handler: type[RequestHandler]) -> list[str]:
    """The methods that the handler implements itself."""
    return [name for name in _METHODS if getattr(handler, name.lower()) is not _NOT_IMPLEMENTED]


def allowed_methods(handler: type[RequestHandler]) -> str:
    """The value of Allow: GET implies HEAD, and any method implies OPTIONS."""
    methods = set(methods_of(handler))
    more = {"OPTIONS"} if methods else set()
    if "GET" in methods:
        more.add("HEAD")
    return ", ".join(sorted(methods | more))
