"""What /readyz checks besides the database."""

from .runtime.health import Check

# Functions that return whether a dependency works. Each is reported under its own name.
CHECKS: list[Check] = []
