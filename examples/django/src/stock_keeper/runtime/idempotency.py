"""Idempotency keys: a repeated request gets its first response."""

import json
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from . import InProgress, KeyReused, telemetry
from .models import IdempotencyKey

LIFETIME: Final = timedelta(hours=24)
# Each new key deletes up to this many old ones: more than are added, but little work at a time.
_DELETED_AT_ONCE = 20


class FirstRequest:
    """The first request to a path with this key and content, in the transaction of its write.

    `database` is the alias of the database that is written to.
    """

    def __init__(self, path: str, key: str, content: Any, database: str) -> None:
        self._keys = IdempotencyKey.objects.using(database)
        self._connection = transaction.get_connection(database)
        self._digest = _digest(f"{path} {telemetry.subject()!r} {key}")
        self._fingerprint = _digest(json.dumps(content, sort_keys=True, default=str))

    def response(self) -> Response | None:
        """The response that it got, if it was sent before.

        Raises `InProgress`, or `KeyReused` if it had other content.
        """
        alone = self._lock()
        found = self._keys.filter(digest=self._digest).first()
        if found is not None and found.created_at > timezone.now() - LIFETIME:
            if found.fingerprint != self._fingerprint:
                raise KeyReused("It was sent with another body before.")
            return Response(**json.loads(found.response))
        if not alone:
            raise InProgress("A request with this Idempotency-Key is in progress.")
        if found is not None:
            found.delete()
        return None

    def keep(self, response: Response) -> None:
        """Store its response, and delete some old keys."""
        old = self._keys.filter(created_at__lt=timezone.now() - LIFETIME).order_by("created_at")
        free = old.select_for_update(skip_locked=True).values_list("digest", flat=True)
        self._keys.filter(digest__in=[*free[:_DELETED_AT_ONCE]]).delete()
        parts = {
            "data": response.data,
            "status": response.status_code,
            "headers": dict(response.headers),
        }
        self._keys.create(
            digest=self._digest,
            fingerprint=self._fingerprint,
            response=json.dumps(parts, cls=JSONEncoder),
        )

    def _lock(self) -> bool:
        """Whether no other transaction is using this key; SQLite has one writer anyway."""
        if self._connection.vendor == "sqlite":
            return True
        number = int(self._digest[:16], 16) - 2**63
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
            return bool(cursor.fetchone()[0])


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
