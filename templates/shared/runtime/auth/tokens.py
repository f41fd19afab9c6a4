"""Verify bearer tokens, and cache those that are valid."""

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError

from ... import NAME
from ..http import Problem
from ..settings import Settings
from .keys import IssuerKeys

# All are asymmetric: a service that can verify tokens cannot create them.
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
LEEWAY_SECONDS: Final = 60
MAX_REMEMBERED: Final = 1024
# Requests that may wait in threads for a fetch of keys; other threads stay free.
MAX_WAITING: Final = 64
_MAX_SUBJECT: Final = 255
# RFC 9068 names the type of access tokens; most issuers still send plain JWTs.
_TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})


@dataclass(frozen=True, slots=True)
class Caller:
    """The client according to its token; `claims` are all claims of the token."""

    subject: str
    scopes: frozenset[str]
    claims: Mapping[str, Any]

    @property
    def is_authenticated(self) -> bool:
        """Expected by libraries; without a valid token there is no caller."""
        return True


class _Registry(jws.JWSRegistry):
    max_header_length = 4096


_REGISTRY: Final = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)


class Verifier:
    """Identifies the caller by a request's Authorization header; a `Problem` with 401 otherwise.

    The status is 503 until the issuer's keys have been fetched once.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = IssuerKeys(settings, self._forget)
        self._registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            exp={"essential": True},
        )
        self._places = threading.BoundedSemaphore(MAX_WAITING)
        self._lock = threading.Lock()
        self._remembered: dict[bytes, tuple[Caller, float]] = {}
        self._changes = 0  # of the set of keys

    def verify(self, authorization: str | None) -> Caller:
        """The caller that a token names; waits for the issuer's keys if it needs a new one."""
        token = _bearer(authorization)
        if (caller := self._recall(token)) is not None:
            return caller
        key_id = _key_id(token)
        if self._keys.find(key_id) is None and self._places.acquire(blocking=False):
            try:
                if (going_on := self._keys.fetch()) is not None:
                    with suppress(NotInTime):
                        going_on[0].result(going_on[1])
            finally:
                self._places.release()
        return self._verified(token, key_id)

    async def verify_async(self, authorization: str | None) -> Caller:
        """As `verify`, on an event loop."""
        token = _bearer(authorization)
        if (caller := self._recall(token)) is not None:
            return caller
        key_id = _key_id(token)
        if self._keys.find(key_id) is None and (going_on := self._keys.fetch()) is not None:
            await asyncio.wait([asyncio.wrap_future(going_on[0])], timeout=going_on[1])
        return self._verified(token, key_id)

    def _recall(self, token: str) -> Caller | None:
        self._keys.refresh()
        caller, until = self._remembered.get(_digest(token), (None, 0.0))
        return caller if time.time() < until else None

    def _forget(self) -> None:
        """Forget the verified tokens: the issuer may have withdrawn their keys."""
        with self._lock:
            self._changes += 1
            self._remembered.clear()

    def _verified(self, token: str, key_id: str | None) -> Caller:
        changes = self._changes
        key = self._keys.find(key_id)
        if key is None:
            if not self._keys.known:
                raise Problem(
                    503, "The issuer's keys are not known yet.", headers={"Retry-After": "10"}
                )
            raise unauthorized("It is signed by an unknown key.")
        try:
            decoded = jwt.decode(token, key, registry=_REGISTRY)
            self._registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise unauthorized("It is not valid, or not any more.") from None
        caller = _caller(decoded.claims)
        self._remember(token, caller, decoded.claims["exp"], changes)
        return caller

    def _remember(self, token: str, caller: Caller, until: float, changes: int) -> None:
        with self._lock:
            if changes != self._changes:  # its key may have been withdrawn meanwhile
                return
            if len(self._remembered) >= MAX_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[_digest(token)] = caller, until


def unauthorized(why: str = "") -> Problem:
    """The response to a request without a token or with an invalid one."""
    challenge = f'Bearer realm="{NAME}"'
    if why:
        challenge += f', error="invalid_token", error_description="{why}"'
    detail = f"The bearer token is refused. {why}" if why else "It needs a bearer token."
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})


def forbidden(scope: str) -> Problem:
    """The response to a client without the required scope."""
    challenge = f'Bearer realm="{NAME}", error="insufficient_scope", scope="{scope}"'
    return Problem(403, f"It needs the scope {scope}.", headers={"WWW-Authenticate": challenge})


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized()
    token = token.strip()
    if token.count(".") != 2 or not token.isascii():
        raise unauthorized("It is not a signed JWT.")
    return token


def _key_id(token: str) -> str | None:
    """The ID of the key that signed the token, according to its header."""
    try:
        header = jws.extract_compact(token.encode(), registry=_REGISTRY).headers()
        _REGISTRY.check_header(header)
        known = header.get("alg") in ALGORITHMS
        known = known and str(header.get("typ") or "").lower() in _TYPES
    except (JoseError, ValueError, TypeError, RecursionError):
        raise unauthorized("It is not a signed JWT.") from None
    if not known:
        raise unauthorized("Its type or its algorithm is not accepted.")
    key_id = header.get("kid")
    return key_id if isinstance(key_id, str) else None


def _digest(token: str) -> bytes:
    """The cache key of a token: memory dumps then contain no tokens."""
    return sha256(token.encode()).digest()


def _caller(claims: Mapping[str, Any]) -> Caller:
    # RFC 9068 has them in `scope`, separated by spaces; some issuers use a list in `scp`.
    scopes = claims.get("scope", claims.get("scp", ""))
    if isinstance(scopes, str):
        scopes = scopes.split()
    elif not isinstance(scopes, list):
        scopes = []
    subject = str(claims.get("sub") or claims.get("client_id") or claims.get("azp") or "")
    if len(subject) > _MAX_SUBJECT:  # the digest distinguishes subjects with the same beginning
        digest = sha256(subject.encode(errors="surrogatepass")).hexdigest()
        subject = f"{subject[: _MAX_SUBJECT - 65]}~{digest}"
    named = frozenset(scope for scope in scopes if isinstance(scope, str))
    return Caller(subject, named, claims)
