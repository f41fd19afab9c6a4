"""The application."""

from .health import CHECKS
{% for resource in resources %}
from .{{ resource.plural }} import routes as {{ resource.plural }}
{% endfor %}
{% block peer_import %}
{% endblock %}
{% if 'auth' in with %}
from .runtime.auth.guard import Guard
{% endif %}
from .runtime.service import Service
from .settings import Settings


def create_app(settings: Settings | None = None) -> Service:
    """Create the application; `settings` default to those of the environment."""
    app = Service(settings, CHECKS)
{% block peer %}
{% endblock %}
{% block check %}
{% endblock %}
{% for resource in resources %}
{% block routes scoped %}
{% endblock %}
{% endfor %}
    return app
