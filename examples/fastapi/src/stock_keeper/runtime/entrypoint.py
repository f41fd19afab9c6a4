"""The application as an object, for `fastapi dev` and `fastapi run`."""

from ..app import create_app

app = create_app()
