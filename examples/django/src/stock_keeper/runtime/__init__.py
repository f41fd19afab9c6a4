"""Shared infrastructure of the service, maintained by its template.

The exceptions here are raised by stores and turned into responses by the HTTP layer.
"""

from collections.abc import Iterable, Sequence


class NotFound(Exception):
    """No row has this ID."""


class Duplicate(Exception):
    """A value that must be unique is taken; the message tells the client which one."""


class InProgress(Exception):
    """The same request is being carried out; the message says so."""


class KeyReused(Exception):
    """An idempotency key was used before for another request; the message says so."""


class StaleRevision(Exception):
    """The row has changed since the client read it; the message says so."""


class StillReferenced(Exception):
    """Other rows refer to the row that was to be deleted; the message says which ones."""


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
    """The database is unreachable or did not answer in time; the client may try again."""
