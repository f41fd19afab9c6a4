"""Patches of services that ask for tokens."""

from __future__ import annotations

from dataclasses import replace

from tests.mutations.patches.patch import IDEMPOTENCY, SETTINGS, Patch

ACCESS = "{package}/runtime/auth/access.py"
DESCRIBED = "{package}/runtime/auth/described.py"
FETCH = "{package}/runtime/auth/fetch.py"
GUARD = "{package}/runtime/auth/guard.py"
KEYS = "{package}/runtime/auth/keys.py"
TOKENS = "{package}/runtime/auth/tokens.py"
HEADER = 'authorization = request.headers.get("Authorization")'


def guarded(*patches: Patch) -> list[Patch]:
    """Patches of a service that has `auth`."""
    return [replace(patch, having=("auth",)) for patch in patches]


PATCHES = guarded(
    Patch(
        "A2",
        "an idempotency key belongs to whoever sends it",
        IDEMPOTENCY,
        "{telemetry.subject()!r} ",
        "",
        by="test_a_key_belongs_to_who_sent_it",
    ),
    Patch(
        "R8",
        "a subject that cannot be encoded is an error",
        IDEMPOTENCY,
        "{telemetry.subject()!r}",
        "{telemetry.subject()}",
        by="test_any_subject_can_send_a_key",
    ),
    Patch(
        "A1",
        "subjects that begin alike are one",
        TOKENS,
        'subject = f"{subject[: _MAX_SUBJECT - 65]}~{digest}"',
        "subject = subject[:_MAX_SUBJECT]",
        by="test_any_subject_can_send_a_key",
    ),
    Patch(
        "A1",
        "a token of any issuer is let in",
        TOKENS,
        'iss={"essential": True, "value": settings.oidc_issuer}',
        'iss={"essential": True}',
        by="test_no_forged_token_is_let_in",
    ),
    Patch(
        "A1",
        "a token for anybody is let in",
        TOKENS,
        'aud={"essential": True, "value": settings.oidc_audience}',
        'aud={"essential": True}',
        by="test_no_forged_token_is_let_in",
    ),
    Patch(
        "A1",
        "a token without an end is let in",
        TOKENS,
        'exp={"essential": True},',
        "",
        by="test_no_forged_token_is_let_in",
    ),
    Patch(
        "A1",
        "a token by no key of the issuer is let in",
        TOKENS,
        'raise unauthorized("It is signed by an unknown key.")',
        'return Caller("somebody", frozenset({"items:read", "items:write"}), {})',
        by="test_no_forged_token_is_let_in",
    ),
    Patch(
        "A1",
        "clocks may not differ",
        TOKENS,
        "LEEWAY_SECONDS: Final = 60",
        "LEEWAY_SECONDS: Final = 0",
        by="test_clocks_may_differ_by_a_minute",
    ),
    Patch(
        "A1",
        "who was let in once is let in for ever",
        TOKENS,
        "return caller if time.time() < until else None",
        "return caller",
        by="test_a_token_is_accepted_until_it_expires_also_when_it_was_seen",
    ),
    Patch(
        "A1",
        "an issuer is not asked for",
        SETTINGS,
        "str, AfterValidator(_given), AfterValidator(_known_url), Field(validate_default=True)",
        "str, AfterValidator(str)",
        by="test_a_bad_setting_ends_it_with_one_line",
    ),
    Patch(
        "A3",
        "the keys are fetched as often as someone likes",
        KEYS,
        "INTERVAL_SECONDS: Final = 10.0",
        "INTERVAL_SECONDS: Final = 0.0",
        by="test_forged_tokens_cause_one_fetch",
    ),
    Patch(
        "A3",
        "a token outlives the key that signed it",
        KEYS,
        "                self._changed()\n",
        "",
        by="test_a_new_key_is_found_at_once_and_an_old_one_is_forgotten"
        " test_tokens_of_a_certified_provider_are_accepted_and_its_keys_may_change",
    ),
    Patch(
        "A3",
        "what is known is forgotten while the issuer does not answer",
        KEYS,
        "        except Unreadable as error:\n",
        "        except Unreadable as error:\n            self._keys = {}\n"
        "            self._changed()\n",
        by="test_known_keys_go_on_working_whatever_the_issuer_does",
    ),
    Patch(
        "A3",
        "tokens are refused for good while the keys are unknown",
        TOKENS,
        "                raise Problem(\n                    503,",
        "                raise Problem(\n                    401,",
        by="test_it_starts_without_its_issuer_and_finds_it_later",
    ),
    Patch(
        "A3",
        "the issuer may send it elsewhere for the keys",
        FETCH,
        "build_opener(_NoRedirects, _PlainHandler(watch)",
        "build_opener(_PlainHandler(watch)",
        by="test_keys_come_from_the_issuer_alone",
    ),
    Patch(
        "A4",
        "the document does not say the scopes",
        DESCRIBED,
        '[others | {"bearer": list(scopes)}]',
        '[others | {"bearer": []}]',
        by="test_the_document_says_what_each_operation_asks_for",
    ),
    Patch(
        "A4",
        "the page asks for a password",
        DESCRIBED,
        '"scheme": "bearer"',
        '"scheme": "basic"',
        by="test_the_page_takes_a_token_and_sends_it",
    ),
)

BY_ROUTE = guarded(
    Patch(
        "A1",
        "a token in the address is let in",
        GUARD,
        HEADER,
        f'{HEADER} or "Bearer " + dict('
        '(request.query_params if hasattr(request, "query_params") else request.args)'
        ').get("access_token", "x")',
        by="test_a_token_counts_in_the_header_alone",
    ),
    Patch(
        "A2",
        "any token has every scope",
        ACCESS,
        "if not caller.scopes.issuperset(scopes):",
        "if False:",
        by="test_each_operation_asks_for_its_scope test_what_is_denied_is_not_done",
    ),
    Patch(
        "A2",
        "a browser may not ask what it may do",
        ACCESS,
        'if method == "OPTIONS" or method in operations:',
        "if method in operations:",
        by="test_what_is_no_operation_is_open_or_asks_for_a_token",
    ),
    Patch(
        "A4",
        "the log does not know who it was",
        ACCESS,
        "    structlog.contextvars.bind_contextvars(subject=caller.subject)\n",
        "",
        by="test_the_subject_is_logged_and_no_token_ever",
    ),
)

BY_VIEW = guarded(
    Patch(
        "A2",
        "any token has every scope",
        GUARD,
        "if not caller.scopes.issuperset(scopes):",
        "if False:",
        by="test_each_operation_asks_for_its_scope test_what_is_denied_is_not_done",
    ),
    Patch(
        "A2",
        "a browser may not ask what it may do",
        GUARD,
        'if scopes is None or request.method == "OPTIONS":',
        "if scopes is None:",
        by="test_what_is_no_operation_is_open_or_asks_for_a_token",
    ),
    Patch(
        "A4",
        "the log does not know who it was",
        GUARD,
        "        structlog.contextvars.bind_contextvars(subject=caller.subject)\n",
        "",
        by="test_the_subject_is_logged_and_no_token_ever",
    ),
)
