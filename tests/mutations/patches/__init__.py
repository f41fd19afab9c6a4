"""Small ways to break a service, by framework; each breaks one promise of the contract.

What frameworks have in common is broken once: ``everywhere``, where they speak WSGI, where they
keep items in the shared store. What is a framework's own is broken in the module of its name.
Another framework joins by one line here and a module of its own, which names the patches that
break nothing there because something else keeps the promise too.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.mutations.patches import (
    auth,
    calls,
    django,
    everywhere,
    fastapi,
    flask,
    store,
    tracing,
    wsgi,
)
from tests.mutations.patches.patch import Patch

__all__ = ["PATCHES", "Patch"]

BY_ROUTE = [*everywhere.PATCHES, *auth.PATCHES, *auth.BY_ROUTE, *tracing.PATCHES, *calls.PATCHES]


def without(reasons: Mapping[str, str], patches: list[Patch]) -> list[Patch]:
    """The patches but for those that break nothing in a framework, each with its reason."""
    if unknown := set(reasons) - {patch.breaks for patch in patches}:
        raise ValueError(f"no patch breaks {', '.join(sorted(unknown))}")
    return [patch for patch in patches if patch.breaks not in reasons]


PATCHES: dict[str, list[Patch]] = {
    "flask": [*BY_ROUTE, *calls.IN_THREADS, *wsgi.PATCHES, *store.PATCHES, *flask.PATCHES],
    "fastapi": [
        *without(fastapi.BREAK_NOTHING, [*BY_ROUTE, *calls.AWAITED, *store.PATCHES]),
        *fastapi.PATCHES,
    ],
    "django": [
        *without(django.BREAK_NOTHING, everywhere.PATCHES),
        *wsgi.PATCHES,
        *django.PATCHES,
        *auth.PATCHES,
        *auth.BY_VIEW,
        *tracing.PATCHES,
        *calls.PATCHES,
        *calls.IN_THREADS,
    ],
}
