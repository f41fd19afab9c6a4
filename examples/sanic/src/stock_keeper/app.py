"""Where the service is put together."""

from types import SimpleNamespace

from sanic import HTTPResponse, Request, Sanic, empty
from sanic.config import Config
from sanic.exceptions import MethodNotAllowed, SanicException

from . import NAME, health
from .items import routes as items
from .runtime.database import READINESS_SECONDS, Database
from .runtime.http import PROBLEM_CONTENT_TYPE, Problem, problem_of
from .runtime.settings import Settings
from .runtime.stream import Stream
from .runtime.threads import Threads
from .runtime.web import PathRouter, allowed_methods, configuration, exchange_of

App = Sanic[Config, SimpleNamespace]


def create_app(settings: Settings) -> App:
    """The application, as a factory: each call makes one that stands alone."""
    app = Sanic(
        NAME,
        config=configuration(settings),
        router=PathRouter(),
        strict_slashes=True,
        configure_logging=False,
    )
    app.ctx.settings = settings
    app.blueprint(health.blueprint)
    app.blueprint(items.blueprint)
    # A check of who may call goes here: app.on_request(your_check).
    app.exception(Exception)(answer_error)
    app.before_server_start(begin)
    app.after_server_stop(end)
    return app


async def begin(app: App) -> None:
    """The database, the threads that wait for it, and the stream of its changes."""
    settings: Settings = app.ctx.settings
    app.ctx.database = Database(settings)
    app.ctx.threads = Threads(settings.database_timeout_seconds)
    app.ctx.probe_threads = Threads(READINESS_SECONDS)
    app.ctx.stream = Stream(settings)
    app.ctx.stream.start()


async def end(app: App) -> None:
    app.ctx.threads.close()
    app.ctx.probe_threads.close()
    app.ctx.database.close()


async def answer_error(request: Request, error: Exception) -> HTTPResponse:
    """Any error, as a problem; OPTIONS, which no route has, is answered here."""
    if isinstance(error, MethodNotAllowed):
        methods = allowed_methods(request)
        allow = {"Allow": ", ".join(sorted(methods | {"OPTIONS"}))}
        if methods and request.method == "OPTIONS":
            return empty(headers=allow)
        error = Problem(405, headers=allow) if methods else Problem(404)
    elif isinstance(error, SanicException):
        error = Problem(error.status_code)
    problem = problem_of(error)
    exchange = exchange_of(request)
    return HTTPResponse(
        problem.body(exchange.path, exchange.request_id),
        problem.status.value,
        problem.headers,
        PROBLEM_CONTENT_TYPE,
    )
