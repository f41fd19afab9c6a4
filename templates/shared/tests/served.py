class Transport(httpx.HTTPTransport):
    """Sends every request to one local port, whatever host its URL names."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return super().handle_request(request)


@contextmanager
def entered(serving: AbstractAsyncContextManager[int]) -> Iterator[int]:
    """The value of an async context whose event loop runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(step: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(step, loop).result(timeout=20)

    try:
        port: int = run(serving.__aenter__())
        try:
            yield port
        finally:
            run(serving.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def connect(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a service with these settings, served in this process."""
    with entered(serving(settings)) as port:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=Transport(port), base_url=url) as client:
            yield client
