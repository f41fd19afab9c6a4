"""Django's backend for PostgreSQL, pooled and with a deadline; Django asks for a folder of it."""
