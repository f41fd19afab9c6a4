"""Django's backend for SQLite, pooled and with a deadline; Django asks for a folder of it."""
