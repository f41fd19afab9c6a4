"""What the service stands on: seldom changed, and the same in every service.

Here are the answers that a store may give instead of data.
"""


class NotFound(Exception):
    """There is nothing of this id."""


class Duplicate(Exception):
    """Something that must be unique is taken; the message tells the caller what."""


class Outdated(Exception):
    """It was changed since the caller saw it; the message tells the caller what."""


class Unavailable(Exception):
    """The database is out of reach, or did not answer in time; the caller may try again."""
