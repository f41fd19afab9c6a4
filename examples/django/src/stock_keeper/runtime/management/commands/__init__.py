"""Commands of Django that the service changes."""
