"""Shared infrastructure of the service, maintained by its template.

The exceptions here are raised by stores and turned into responses by the HTTP layer.
"""

from collections.abc import Iterable, Sequence


class NotFound(Exception):
    """No row has this ID."""


class Duplicate(Exception):
    """A unique value already exists; the message says which one."""


class InProgress(Exception):
    """The same request is still in progress."""


class KeyReused(Exception):
    """The idempotency key was used for another request."""


class StaleRevision(Exception):
    """The row has changed since the client read it."""


class StillReferenced(Exception):
    """Other rows refer to the row to be deleted; the message says which."""


class UnknownReference(Exception):
    """A row refers to rows that do not exist; `fields` names the columns that do."""

    def __init__(self, fields: Iterable[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(f"{', '.join(self.fields)}: no such row")


class InvalidContent(Exception):
    """Content that cannot be stored; `errors` are pairs of a location and a message."""

    def __init__(self, errors: Iterable[tuple[Sequence[int | str], str]]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(message for _, message in self.errors))


class Unavailable(Exception):
    """The database is unreachable or did not respond in time; the client may retry."""
