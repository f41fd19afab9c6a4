"""The application as a WSGI server finds it; `manage.py runserver` uses it too."""

from .app import create_app

application = create_app()
