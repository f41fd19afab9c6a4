"""Django's SQLite backend with a pool and deadlines; Django requires a package."""
