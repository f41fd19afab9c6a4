"""Django commands that the service overrides."""
