"""The issuer's keys, fetched on demand at most once in ten seconds."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from ..settings import Settings
from .fetch import Unreadable, read_json

INTERVAL_SECONDS: Final = 10.0
FETCH_SECONDS: Final = 5.0
MAX_AGE_SECONDS: Final = 300.0
MAX_KEYS: Final = 100
_DISCOVERY: Final = "/.well-known/openid-configuration"
_MIN_RSA_BITS: Final = 2048
_SIGNING_CURVES: Final = ("Ed25519", "Ed448")  # the others are for key exchange

PublicKey = RSAKey | ECKey | OKPKey
_log = logging.getLogger(__name__)


class IssuerKeys:
    """The issuer's signing keys, by ID.

    They are fetched in a separate thread. While the issuer is unavailable, the known keys are
    kept; `changed` is called when the keys have changed.
    """

    def __init__(self, settings: Settings, changed: Callable[[], None]) -> None:
        self._issuer = settings.oidc_issuer
        self._url = settings.oidc_jwks_url
        self._changed = changed
        self._keys: Mapping[str | None, PublicKey] = {}
        self._lock = threading.Lock()
        self._began = float("-inf")
        self._fetched = float("-inf")
        self._fetch: Future[None] | None = None

    @property
    def known(self) -> bool:
        """Whether the keys have ever been fetched."""
        return bool(self._keys)

    def find(self, key_id: str | None) -> PublicKey | None:
        """The key with this ID; without an ID, the only key."""
        return self._keys.get(key_id)

    def refresh(self) -> None:
        """Start fetching the keys if they are old, without waiting."""
        if time.monotonic() - self._fetched > MAX_AGE_SECONDS:
            self.fetch()

    def fetch(self) -> tuple[Future[None], float] | None:
        """The fetch in progress and the seconds that it has left; None if none may start."""
        with self._lock:
            now = time.monotonic()
            if self._fetch is None and now - self._began >= INTERVAL_SECONDS:
                self._began = now
                fetch: Future[None] = Future()
                threading.Thread(target=self._run, args=[fetch], daemon=True).start()
                self._fetch = fetch
            remaining = self._began + FETCH_SECONDS - now
            return None if self._fetch is None or remaining <= 0 else (self._fetch, remaining)

    def _run(self, fetch: Future[None]) -> None:
        try:
            found = self._read()
        except Unreadable as error:
            _log.warning("issuer_keys_unavailable", extra={"reason": str(error)})
        else:
            self._fetched = time.monotonic()
            if _thumbprints(found) != _thumbprints(self._keys):
                self._keys = found
                self._changed()
        finally:
            with self._lock:
                self._fetch = None
            fetch.set_result(None)

    def _read(self) -> Mapping[str | None, PublicKey]:
        end = time.monotonic() + FETCH_SECONDS
        found = read_json(self._url or self._discover(), max(0.1, end - time.monotonic()))
        listed = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(listed, list) or len(listed) > MAX_KEYS:
            raise Unreadable("it did not send a set of keys")
        keys = [key for one in listed if (key := _imported(one)) is not None]
        if not keys:
            raise Unreadable("none of its keys can be used")
        by_id: dict[str | None, PublicKey] = {key.kid: key for key in keys if key.kid}
        return by_id | {None: keys[0]} if len(keys) == 1 else by_id

    def _discover(self) -> str:
        """The address of the issuer's keys, by discovery."""
        found = read_json(self._issuer.rstrip("/") + _DISCOVERY, FETCH_SECONDS)
        if not isinstance(found, dict) or found.get("issuer") != self._issuer:
            raise Unreadable("it calls itself by another name than OIDC_ISSUER")
        url = found.get("jwks_uri")
        scheme = self._issuer.partition(":")[0]
        if not isinstance(url, str) or not url.startswith(("https:", f"{scheme}:")):
            raise Unreadable("its keys are not behind TLS as it is itself")
        return url


def _imported(data: Any) -> PublicKey | None:
    """The key if it can verify signatures, otherwise None."""
    with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
        if data.get("use", "sig") == "sig":
            key = JWKRegistry.import_key(data)
            if isinstance(key, RSAKey) and key.public_key.key_size >= _MIN_RSA_BITS:
                return key
            if isinstance(key, OKPKey) and key.curve_name not in _SIGNING_CURVES:
                return None
            return key if isinstance(key, ECKey | OKPKey) else None
    return None


def _thumbprints(keys: Mapping[str | None, PublicKey]) -> dict[str | None, str]:
    return {key_id: key.thumbprint() for key_id, key in keys.items()}
