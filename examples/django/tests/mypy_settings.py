"""Django's settings for mypy, which learns the models from them and connects to nothing."""

import os

os.environ.setdefault("SECRET_KEY", 50 * "x")

from stock_keeper.django_settings import *  # noqa: F403
