"""The checks of readiness."""

import json
from threading import Event
from typing import Any

import pytest

from stock_keeper.runtime import health
from stock_keeper.runtime.health import Checks, report


def well() -> bool:
    return True


def broken() -> bool:
    raise RuntimeError("no connection")


def forgotten() -> Any:
    return "a coroutine, for example"


def test_a_check_that_raises_or_returns_no_bool_has_failed() -> None:
    outcomes = Checks(lambda: {"database": True}, [well, broken, forgotten]).run()
    assert outcomes == {"database": True, "well": True, "broken": False, "forgotten": False}
    status, body = report(outcomes)
    assert (status, json.loads(body)["status"]) == (503, "fail")
    assert json.loads(body)["checks"]["broken"] == {"status": "fail"}


def test_a_service_whose_checks_pass_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    # Another test may have drained a service in this process.
    monkeypatch.setattr(health, "draining", Event())
    status, body = report(Checks(lambda: {"database": True}, [well]).run())
    assert (status, json.loads(body)["status"]) == (200, "pass")
