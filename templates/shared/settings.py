"""The service's settings."""

from .runtime import settings
{% if 'calls' in with %}
from .runtime.settings import CallSeconds, ServiceUrl
{% endif %}


class Settings(settings.Settings):
    """Add your own settings: `greeting: str = "hello"` is read from GREETING."""
{% if 'calls' in with %}

    # One pair for each service that this one calls; `peers.py` has the calls.
    peer_url: ServiceUrl = "http://127.0.0.1:8001"
    peer_timeout_seconds: CallSeconds = 5
{% endif %}
