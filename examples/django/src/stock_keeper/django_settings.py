"""Django's settings for this service; the defaults are in `runtime/defaults.py`."""

from .runtime.defaults import *

INSTALLED_APPS += [
    f"{__package__}.products",
    f"{__package__}.movements",
]

# Your own middleware goes here, in the order required by its documentation.
MIDDLEWARE += []

REST_FRAMEWORK |= {
    # An access check goes here: both lists accept your own classes.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}
