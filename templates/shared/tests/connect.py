@contextmanager
def connect(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a service with these settings, in this process."""
    database = Database(settings)
    transport = httpx.WSGITransport(create_app(settings, database))
    with httpx.Client(transport=transport, base_url="http://test") as client:
        yield client
    database.close()
