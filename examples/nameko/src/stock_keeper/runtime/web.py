"""HTTP entrypoints: methods of service classes that handle requests."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from kombu.exceptions import OperationalError
from nameko.exceptions import BadRequest
from nameko.extensions import SharedExtension
from nameko.web.handlers import HttpRequestHandler
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from . import telemetry, unawaited
from .document import Route
from .http import EXPECTED, PROBLEM_CONTENT_TYPE, Problem, problem_of
from .operations import attached
from .wsgi import CONTEXT, REJECTED, path_of

SUBJECT: Final = "service.subject"

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Method = TypeVar("Method", bound=Callable[..., Any])
RequestCheck = Callable[[Request], Response | None]

_CONVERTER = re.compile(r"<(?:[^<>:]*:)?(\w+)>")
_AUTOMATIC: Final = frozenset({"HEAD", "OPTIONS"})


def http(
    method: str, url: str, *, expected_exceptions: tuple[type[Exception], ...] = ()
) -> Callable[[Method], Method]:
    """Have a method handle a route. It takes the request and the parameters of the path.

    It returns a `Response`; or a body, with a status or a status and headers before it. Exceptions
    of the classes in `expected_exceptions` are the client's fault: 400, with their message.
    """
    decorator: Callable[[Method], Method] = HttpRequestHandler.decorator(
        method, url, expected_exceptions=expected_exceptions
    )
    return decorator


class WebServer(SharedExtension):  # type: ignore[misc]
    """Connects Nameko's HTTP entrypoints to the service's server instead of Nameko's own."""

    def register_provider(self, provider: Any) -> None:
        """Do nothing: routes are registered earlier, by `Router.add`."""

    def unregister_provider(self, provider: Any) -> None:
        """Do nothing: routes are never removed."""

    def context_data_from_headers(self, request: Request) -> dict[str, str]:
        """The context passed on to every call and event that results from the request."""
        context = request.environ[CONTEXT]
        return {"request_id": context.request_id, "trace_id": context.trace_id}


def _raise(entrypoint: Any, error: Exception) -> None:
    """Raise the handler's exception; Nameko would send its class and message to the client."""
    has_status = isinstance(error, (HTTPException, *EXPECTED))
    if isinstance(error, entrypoint.expected_exceptions) and not has_status:
        raise Problem(400, str(error)) from error
    raise error


# Set on Nameko's own class, so that extensions that derive from it behave like `http`.
HttpRequestHandler.server = WebServer()
HttpRequestHandler.response_from_exception = _raise


class Router:
    """A WSGI application that calls the entrypoint of a request's route; errors are problems."""

    def __init__(self) -> None:
        self._rules = Map(merge_slashes=False)
        self._matcher = self._rules.bind("")
        self._routes: dict[tuple[str, str], Route] = {}
        self._checks: list[RequestCheck] = []

    def add(self, entrypoint: Any) -> None:
        """Add the routes of an HTTP entrypoint; each may occur once."""
        service = entrypoint.container.service_cls
        handler = getattr(service, entrypoint.method_name)
        path = _CONVERTER.sub(r"{\1}", entrypoint.url)
        for method in entrypoint.method.split(","):
            key = (method, re.sub(r"\{\w+\}", "{}", path))
            if key in self._routes:
                other = self._routes[key].handler
                raise ValueError(
                    f"{method} {path} is answered by both {other.__qualname__} and "
                    f"{handler.__qualname__}"
                )
            self._routes[key] = Route(method, path, handler)
        rule = entrypoint.get_url_rule()
        rule.endpoint = (entrypoint, path)
        self._rules.add(rule)

    def before_request(self, check: RequestCheck) -> None:
        """Call `check` with each request, before its route is looked up and its body read.

        It returns None to let the request pass; or returns a response, or raises an error.
        """
        if inspect.iscoroutinefunction(check):
            raise TypeError(f"{check.__qualname__} is a coroutine function: nothing awaits it")
        self._checks.append(check)

    def routes(self) -> Iterator[Route]:
        """Every method of every route, for the OpenAPI document."""
        return (route for route in self._routes.values() if route.method not in _AUTOMATIC)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._respond(request)
        except HTTPException as error:
            response = _http_response(error, request)
        except Exception as error:
            response = _response(_problem(error), request)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if (rejected := request.environ.get(REJECTED)) is not None:
            raise rejected
        for check in self._checks:
            with unawaited.all_awaited():
                refusal = check(request)
            if refusal is not None:
                return _checked(refusal, check)
        request.environ[SUBJECT] = telemetry.subject()
        path = path_of(request.environ)
        if path.startswith("//"):  # Werkzeug would collapse the slashes
            raise Problem(404)
        try:
            (entrypoint, template), values = self._matcher.match(path, request.method)
        except MethodNotAllowed as error:
            allow = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
            if request.method != "OPTIONS":
                raise Problem(405, headers={"Allow": allow}) from None
            return Response(status=204, headers={"Allow": allow})
        except HTTPException:
            raise Problem(404) from None
        request.environ[CONTEXT].route = template
        request.path_values = values  # type: ignore[attr-defined]
        response: Response = entrypoint.handle_request(request)
        if response.mimetype == "text/plain" and _answers_with_json(entrypoint):
            response.mimetype = "application/json"  # Nameko calls every text plain
        return response


def _answers_with_json(entrypoint: Any) -> bool:
    handler = getattr(entrypoint.container.service_cls, entrypoint.method_name)
    found = attached(handler)
    return found is not None and found.answer is not None


def _checked(response: Any, check: RequestCheck) -> Response:
    if not isinstance(response, Response):
        raise TypeError(f"{check.__qualname__} returned {response!r}, not None or a response")
    return response


def _problem(error: Exception) -> Problem:
    match error:
        case BadRequest():
            return Problem(400, str(error))
        case OperationalError():
            return Problem(503, "The broker does not answer.", headers={"Retry-After": "1"})
    return problem_of(error)


def _http_response(error: HTTPException, request: Request) -> Response:
    """The response of Werkzeug's own errors: a problem with their description and headers."""
    if error.response is not None or (error.code or 500) < 400:
        return Response.force_type(error.get_response(request.environ))
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    said = error.description if error.description != type(error).description else None
    return _response(Problem(error.code or 500, said or "", headers=headers), request)


def _response(problem: Problem, request: Request) -> Response:
    context = request.environ[CONTEXT]
    return Response(
        problem.body(context.path, context.request_id),
        problem.status,
        problem.headers,
        content_type=PROBLEM_CONTENT_TYPE,
    )
