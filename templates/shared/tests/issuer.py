"""An issuer of tokens for tests: on this machine, without a network.

`issuer.token("items:read")` is a token as a client would send it; every claim can be changed.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey
{% block imports %}
{% endblock %}

AUDIENCE = "the service"
SCOPES = [
{% for resource in resources %}
    "{{ resource.plural }}:read",
    "{{ resource.plural }}:write",
{% endfor %}
]
KEY = ECKey.generate_key("P-256", {"kid": "test", "use": "sig"})


def token(*scopes: str, key: ECKey = KEY, **claims: Any) -> str:
    """A token of the issuer, with these scopes; a claim that is None is left out."""
    now = int(time.time())
    usual = {"iss": URL, "aud": AUDIENCE, "sub": "tester", "iat": now, "exp": now + 3600}
    every = usual | {"scope": " ".join(scopes)} | claims
    said = {name: value for name, value in every.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": key.kid}, said, key)


def bearer(*scopes: str, **claims: Any) -> dict[str, str]:
    """The header with such a token."""
    return {"Authorization": f"Bearer {token(*scopes, **claims)}"}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/.well-known/openid-configuration":
            answer: Any = {"issuer": URL, "jwks_uri": f"{URL}/keys"}
        else:
            answer = {"keys": [KEY.as_dict(private=False)]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        """Do not log requests between the output of tests."""


def _serve() -> None:
    while True:
        _server.process_request(*_server.get_request())


_server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
_server.daemon_threads = True
URL = f"http://127.0.0.1:{_server.server_port}"
threading.Thread(target=_serve, daemon=True).start()
ENVIRONMENT = {"OIDC_ISSUER": URL, "OIDC_AUDIENCE": AUDIENCE}

if __name__ == "__main__":
    lines = [f"export {name}='{value}'" for name, value in ENVIRONMENT.items()]
    sys.stdout.write("\n".join([*lines, f"export TOKEN='{token(*SCOPES)}'", ""]))
    sys.stdout.flush()
    threading.Event().wait()
