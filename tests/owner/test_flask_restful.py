"""A Flask-RESTful service from its other front doors, which are Flask's."""

from __future__ import annotations

from tests.owner.test_flask import (  # noqa: F401
    pytestmark,
    test_the_command_line_of_flask_lists_and_serves,
    test_the_test_client_gets_what_a_client_gets,
)
