"""Options and reports that every test of this repository may use."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.contract.grid", "tests.contract.schedule"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "the contract of a generated service")
    group.addoption("--framework", default="", help="flask,fastapi (default: all with a template)")
    group.addoption("--database", default="sqlite,postgresql", help="sqlite,postgresql")
    group.addoption(
        "--resource",
        action="append",
        default=[],
        metavar="DECLARATION",
        help="tests/contract/resources: ask services of these resources, not of the usual ones",
    )
    group.addoption(
        "--draws",
        type=int,
        default=2,
        help="tests/contract/resources/test_drawn.py: so many declarations",
    )
    group.addoption("--draw-seed", type=int, default=20260101, help="where drawing begins")
    group.addoption("--line", default="", help="only tests of these contract lines: R3,E1")
    group.addoption("--projects", default="", help="keep rendered, installed projects here")
    group.addoption(
        "--project",
        action="append",
        default=[],
        metavar="FRAMEWORK=FOLDER",
        help="test this installed project, as it is, instead of rendering the template",
    )
    group.addoption(
        "--rendering",
        default="",
        metavar="FRAMEWORK-DATABASE-CI,...",
        help="tests/deployment: read the files of these services (default: two for each framework)",
    )
    group.addoption("--grid-json", default="", help="write the grid of the contract to this file")
    group.addoption(
        "--each-moment",
        type=int,
        default=1,
        metavar="N",
        help="tests/tool/test_grid.py -m slow: break only each Nth moment of a run",
    )


def pytest_configure(config: pytest.Config) -> None:
    # uv comes with the tests' own environment, which nobody has to activate.
    own = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])
    # What is started again and again is compiled once, as on any machine that does not forbid it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # What nohup and a shell's & have this process ignore, all that it starts would ignore as well;
    # a handler ends with this process, whatever it does.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    for marker in (
        "contract(line, ...): the lines of the contract that the test proves",
        "alone: measures time, so nothing else of the run goes on meanwhile",
        "any_database: tells nothing of the database; slow on PostgreSQL if SQLite is asked too",
        "any_framework(*names): what all services share; slow on all but these, or a few",
        "any_server: what all services on a kind of server share; slow on all but one of each kind",
        "beside(name, ...): for frameworks whose services run beside this, such as rabbitmq",
        "fault: breaks a database, a process or a connection of its own",
        "slow: takes more than a few seconds for each service",
        "limitable(case): a limit in framework.toml of this line and case makes it a strict xfail",
        "feature(name): only for services whose framework.toml has this feature",
        "without(name): tests/owner: only for services whose framework.toml lacks this feature",
        "last: runs after the other tests of the same service",
    ):
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected lasts: looking for garbage among it takes seconds and finds none."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def compiled_once() -> Iterator[None]:
    """Renderings in this process compile each template once, which is most of what they cost.

    That it changes no byte of them is proven in tests/tool/test_check.py.
    """
    from jinja2.sandbox import SandboxedEnvironment

    from scaffold.making import render

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SandboxedEnvironment, "compile", SandboxedEnvironment.compile)
        render.compile_once()
        yield
