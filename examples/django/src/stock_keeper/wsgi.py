"""The application for a WSGI server; `manage.py runserver` uses it too."""

from .app import create_app

application = create_app()
