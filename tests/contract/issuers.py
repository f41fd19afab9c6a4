"""Issuers of tokens: one of our own, which also does what no certified one would do."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

AUDIENCE = "stock"
DISCOVERY = "/.well-known/openid-configuration"
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Issuer:
    """An issuer on a free port of this machine; ``answer`` is what it does with each request."""

    keys: dict[str, RSAKey | ECKey] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)
    answer: Answer | None = None
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a service that trusts it."""
        return {"OIDC_ISSUER": self.url, "OIDC_AUDIENCE": AUDIENCE}

    @property
    def fetches(self) -> list[float]:
        """When its keys were asked for."""
        return [moment for moment, path in self.asked if path == "/keys"]

    def rotate(self, key_id: str) -> None:
        """Sign with another key from now on, and publish it alone."""
        self.keys = {key_id: RSAKey.generate_key(2048, {"kid": key_id, "use": "sig"})}

    def claims(self, *scopes: str, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "somebody", "iat": now, "exp": now + 600}
        changed = usual | {"scope": " ".join(scopes)} | changes
        return {name: value for name, value in changed.items() if value is not None}

    def token(self, *scopes: str, key: RSAKey | ECKey | None = None, **changes: Any) -> str:
        """A token with these scopes; a claim that is None is left out."""
        key = key or next(iter(self.keys.values()))
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        header = {"typ": "JWT", "alg": algorithm, "kid": key.kid}
        # The library's own encoder takes no surrogates.
        return jws.serialize_compact(header, json.dumps(self.claims(*scopes, **changes)), key)

    def bearer(self, *scopes: str, **changes: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*scopes, **changes)}"}

    def forged(self, *scopes: str) -> dict[str, str]:
        """Tokens that nobody may let in, by what is wrong with each."""
        now = int(time.time())
        good = self.token(*scopes)
        head, payload, signature = good.split(".")
        key = next(iter(self.keys.values()))
        stranger = RSAKey.generate_key(2048, {"kid": key.kid})
        unknown = ECKey.generate_key("P-256", {"kid": "nobody's"})
        claims = self.claims(*scopes)
        public = key.as_dict(private=False)

        def headed(header: str | dict[str, Any], signature: str = signature) -> str:
            """The payload under another header."""
            return f"{encoded(header)}.{payload}.{signature}"

        return {
            "expired": self.token(*scopes, exp=now - 120),
            "not yet valid": self.token(*scopes, nbf=now + 86_400),
            "from the future": self.token(*scopes, iat=now + 86_400),
            "without exp": self.token(*scopes, exp=None),
            "exp that is no number": self.token(*scopes, exp="tomorrow"),
            "exp that never comes": self.token(*scopes, exp=float("nan")),
            "exp beyond all time": self.token(*scopes, exp=float("inf")),
            "of another issuer": self.token(*scopes, iss="https://issuer.example.com"),
            "of no issuer": self.token(*scopes, iss=None),
            "for another": self.token(*scopes, aud="another"),
            "for nobody": self.token(*scopes, aud=None),
            "tampered with": f"{head}.{encoded({**claims, 'sub': 'root'})}.{signature}",
            "cut": good[:-10],
            "padded": f"{good}==",
            "with more behind it": f"{good}!!",
            "without a signature": f"{head}.{payload}.",
            "alg none": headed({"alg": "none", "kid": key.kid}, ""),
            "alg None": headed({"alg": "None", "kid": key.kid}),
            "HS256 with the public key": hs256(claims, key, key.as_pem(private=False)),
            "HS256 with its JWK": hs256(claims, key, json.dumps(public).encode()),
            "by a stranger's key": self.token(*scopes, key=stranger),
            "by a key that there is not": self.token(*scopes, key=unknown),
            "with a key of its own": own_key(claims, unknown),
            "a critical extension": headed({"alg": "RS256", "kid": key.kid, "crit": ["x"], "x": 1}),
            "deep": headed("[" * 15_000),
            "many digits": headed('{"alg":' + "9" * 5000 + "}"),
            "surrogates": headed(r'{"alg":"\ud800","kid":"\ud800"}'),
            "a header that is no object": headed("[]"),
            "an ID that is no text": headed({"alg": "RS256", "kid": ["first"]}),
            "no JSON": "a.b.c",
            "no dots": "abc",
            "five parts": f"{good}.x.y",
        }


def encoded(data: str | dict[str, Any]) -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def hs256(claims: dict[str, Any], key: RSAKey | ECKey, secret: bytes) -> str:
    """What a library takes that lets a token choose between a secret and a public key."""
    signed = f"{encoded({'alg': 'HS256', 'kid': key.kid})}.{encoded(claims)}"
    signature = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def own_key(claims: dict[str, Any], key: ECKey) -> str:
    """A token that brings the key which it is signed with."""
    header = {"alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key)


@contextlib.contextmanager
def serving_issuer() -> Iterator[Issuer]:
    """An issuer that answers as it should, until its ``answer`` is another one."""
    issuer = Issuer()
    issuer.rotate("first")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append((time.monotonic(), self.path))
            if issuer.answer is not None:
                issuer.answer(self)
            elif self.path == DISCOVERY:
                send(self, {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"})
            else:
                send(self, {"keys": [key.as_dict(private=False) for key in issuer.keys.values()]})

        def log_message(self, *_: object) -> None:
            """What it is asked is in ``asked``."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()


def send(handler: BaseHTTPRequestHandler, answer: object) -> None:
    body = json.dumps(answer).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def redirecting(target: str) -> Answer:
    """Send everyone elsewhere."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()

    return answer


def pointing(issuer: Issuer, target: str) -> Answer:
    """Say in the discovery that the keys are elsewhere."""
    return lambda handler: send(handler, {"issuer": issuer.url, "jwks_uri": target})


def flooding(handler: BaseHTTPRequestHandler) -> None:
    """Ten megabytes of keys."""
    with contextlib.suppress(OSError):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b'{"keys": [')
        for _ in range(160):
            handler.wfile.write(b'{"kty": "RSA", "n": "' + b"A" * 65_536 + b'", "e": "AQAB"},')


def hanging(_: BaseHTTPRequestHandler) -> None:
    """Never answer; or not for as long as anyone would wait."""
    time.sleep(60)


def trickling(handler: BaseHTTPRequestHandler) -> None:
    """Answer byte by byte, so that no single read takes long."""
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(120):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.5)
