"""Django's settings of this service. What is not set here is in `runtime/defaults.py`."""

from .runtime.defaults import *

INSTALLED_APPS += [
    f"{__package__}.products",
    f"{__package__}.movements",
]

# Middleware of your own goes here, in the order that its documentation asks for.
MIDDLEWARE += []

REST_FRAMEWORK |= {
    # An access check goes here: both lists take classes of your own.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}
