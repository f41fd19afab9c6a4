"""The application."""

from flask import Flask

from .health import CHECKS
{% for resource in resources %}
from .{{ resource.plural }} import routes as {{ resource.plural }}
{% endfor %}
{% include "templates/shared/peer_import.jinja" %}
{% if 'auth' in with %}
from .runtime.auth.guard import Guard
{% endif %}
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Create the application; `settings` default to those of the environment."""
    app = Service(settings, CHECKS)
{% if 'calls' in with %}
    app.extensions["peer"] = Peer(app.settings)
{% endif %}
{% if 'auth' in with %}
    app.before_request(Guard(app))
{% else %}
    # An access check goes here: app.before_request(check).
{% endif %}
{% for resource in resources %}
    app.register_blueprint({{ resource.plural }}.blueprint)
{% endfor %}
    return app
