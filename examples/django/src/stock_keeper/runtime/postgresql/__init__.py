"""Django's PostgreSQL backend with a pool and deadlines; Django requires a package."""
