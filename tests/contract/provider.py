"""A certified OpenID Connect provider that nobody here wrote: oidc-provider, of npm."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import urllib.parse
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from tests.deployment.tools import node_modules, program
from tests.servers import free_port, wait_until

PACKAGE = "oidc-provider@9.13.3"
AUDIENCE = "https://stock.example.com"
SCRIPT = Path(__file__).parent / "provider.mjs"


class Provider:
    """The provider at one address, with a key of its own for each time that it is started."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self, algorithm: str) -> Iterator[None]:
        command = [program("node", "nodejs"), SCRIPT, node_modules(PACKAGE)]
        process = subprocess.Popen(
            [*map(str, command), str(self.port), AUDIENCE, algorithm],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            wait_until(self.answers, 30, "the provider answers")
            yield
        finally:
            process.kill()
            process.wait(10)

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return (
                self.ask("GET", "/.well-known/openid-configuration", "", {})["issuer"] == self.url
            )
        return False

    def token(self, scope: str) -> str:
        """An access token, as a client without a user gets it."""
        secret = b64encode(b"robot:" + urllib.parse.quote_plus("a secret of the robot").encode())
        headers = {
            "Authorization": f"Basic {secret.decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scope})
        answer = self.ask("POST", "/token", form, headers)
        return str(answer["access_token"])

    def ask(self, method: str, path: str, body: str, headers: dict[str, str]) -> dict[str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers)
            answer: dict[str, str] = json.loads(connection.getresponse().read())
            return answer
