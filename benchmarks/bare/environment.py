"""Where a baseline listens, what it asks, and how many threads do both."""

import os

DATABASE_URL = os.environ["DATABASE_URL"]
HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8000"))
CONNECTIONS = 10
THREADS = 128
STATEMENTS_ONCE = os.environ.get("STATEMENTS") == "once"
