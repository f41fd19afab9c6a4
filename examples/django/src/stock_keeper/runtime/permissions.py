"""Detect access checks that would let everyone in: coroutines that are never awaited."""

from functools import cache
from inspect import iscoroutinefunction
from typing import Any

_METHODS = ("authenticate", "has_permission", "has_object_permission", "allow_request")


def require_sync(checks: Any) -> None:
    """Raise an error if a check of one of the classes or instances is a coroutine function."""
    for check in checks:
        operands = [
            operand
            for name in ("op1_class", "op2_class", "op1", "op2")
            if (operand := getattr(check, name, None)) is not None
        ]
        if operands:  # a permission composed of others
            require_sync(operands)
        else:
            _require_sync(check if isinstance(check, type) else type(check))


@cache
def _require_sync(kind: type) -> None:
    for name in _METHODS:
        if iscoroutinefunction(getattr(kind, name, None)):
            raise TypeError(f"{kind.__name__}.{name} is a coroutine function: nobody awaits it")
