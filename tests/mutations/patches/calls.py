"""Patches of services that call others."""

from __future__ import annotations

from dataclasses import replace

from tests.mutations.patches.patch import SERVER, Patch

ATTEMPTS = "{package}/runtime/calls/attempts.py"
CLIENT = "{package}/runtime/calls/client.py"
CONTEXT = "{package}/runtime/calls/context.py"
DEPENDENCY = "{package}/runtime/calls/dependency.py"
NETWORK = "{package}/runtime/calls/network.py"
PEERS = "{package}/peers.py"
HEALTH = "{package}/health.py"
OWN_TESTS = "tests/test_peers.py"
TRACING = "{package}/runtime/tracing.py"


def calling(*patches: Patch) -> list[Patch]:
    """Patches of a service that has `calls`."""
    return [replace(patch, having=patch.having or ("calls",)) for patch in patches]


# What is the same with and without an event loop.
PATCHES = calling(
    Patch(
        "C1",
        "the request's ID is not passed on",
        CONTEXT,
        'headers = {"X-Request-ID": request_id}',
        "headers: dict[str, str] = {}",
        by="test_a_call_passes_on_the_ids_of_its_request_and_no_secret",
    ),
    Patch(
        "C1",
        "the trace is not passed on",
        CONTEXT,
        'headers["traceparent"] = f"00{traceparent[2:55]}"',
        "pass",
        by="test_a_call_passes_on_the_ids_of_its_request_and_no_secret",
    ),
    Patch(
        "C1",
        "cookies of the other service are kept",
        ATTEMPTS,
        '"cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),',
        "",
        by="test_a_call_passes_on_the_ids_of_its_request_and_no_secret",
    ),
    Patch(
        "C1",
        "no connection is kept",
        ATTEMPTS,
        "max_keepalive_connections=limit",
        "max_keepalive_connections=0",
        by="test_connections_are_used_again",
    ),
    Patch(
        "C1",
        "nothing is tried again",
        ATTEMPTS,
        "MAX_ATTEMPTS: Final = 3",
        "MAX_ATTEMPTS: Final = 1",
        by="test_what_may_pass_is_tried_again",
    ),
    Patch(
        "C1",
        "an error of the other service is tried again",
        ATTEMPTS,
        "_TEMPORARY: Final = frozenset({502, 503, 504})",
        "_TEMPORARY: Final = frozenset({500, 502, 503, 504})",
        by="test_what_may_pass_is_tried_again",
    ),
    Patch(
        "C1",
        "redirects are followed",
        ATTEMPTS,
        '"follow_redirects": False',
        '"follow_redirects": True',
        by="test_what_may_pass_is_tried_again",
    ),
    Patch(
        "C1",
        "what a response has to be is not checked",
        ATTEMPTS,
        'raise CallFailed("failed", "the body is not what was agreed") from None',
        "return model.model_construct()",
        by="test_what_may_pass_is_tried_again",
    ),
    Patch(
        "C1",
        "the client is told the reason",
        DEPENDENCY,
        "super().__init__(status, _DETAIL.get(kind, _OTHER_DETAIL), headers=headers)",
        "super().__init__(status, reason, headers=headers)",
        by="test_a_service_that_is_down_is_a_problem_of_the_view_alone",
    ),
    Patch(
        "C1",
        "a value of a path leads elsewhere",
        ATTEMPTS,
        'quote(text, safe="")',
        "text",
        by="test_values_of_a_path_lead_nowhere_else",
    ),
    Patch(
        "C1",
        "a response has no bound",
        ATTEMPTS,
        "if len(self._content) > self._max_bytes:",
        "if not self._max_bytes:",
        by="test_an_answer_is_not_read_beyond_its_bound",
    ),
    Patch(
        "C1",
        "readiness asks for the other service",
        HEALTH,
        "CHECKS: list[Check] = []",
        "def peer() -> bool:\n    return False\n\n\nCHECKS: list[Check] = [peer]",
        by="test_a_service_that_is_down_is_a_problem_of_the_view_alone",
    ),
    Patch(
        "C1",
        "each failure is logged as the first",
        DEPENDENCY,
        "self._kinds.add(error.kind)",
        "pass",
        by="test_a_service_that_is_down_is_a_problem_of_the_view_alone",
    ),
    Patch(
        "C1",
        "any number waits",
        DEPENDENCY,
        "threading.BoundedSemaphore(limit)",
        "threading.BoundedSemaphore(10_000)",
        by="test_few_wait_for_a_service_that_hangs",
    ),
    Patch(
        "C1",
        "a call that failed keeps its place",
        DEPENDENCY,
        "            self._places.release()\n",
        '            if outcome != "timeout":\n                self._places.release()\n',
        by="test_few_wait_for_a_service_that_hangs",
    ),
    Patch(
        "C1",
        "that the other service is well again is not logged",
        DEPENDENCY,
        '_log.info("dependency_available", dependency=self._name)',
        "pass",
        by="test_a_service_in_trouble_is_called_again_once_it_is_well",
    ),
    Patch(
        "C1",
        "a call is no span",
        TRACING,
        "if not trace.get_current_span().is_recording():\n        _prop",
        "if method:\n        _prop",
        by="test_a_call_is_a_span_whose_ids_are_passed_on",
        having=("tracing", "calls"),
    ),
    Patch(
        "C1",
        "the other service continues another span",
        TRACING,
        "**quiet):\n        _propagator.inject(headers)",
        "**quiet):\n        pass",
        by="test_a_call_is_a_span_whose_ids_are_passed_on",
        having=("tracing", "calls"),
    ),
    Patch(
        "C1",
        "the other service is not told what is not sampled",
        TRACING,
        "_propagator.inject(headers)  # a request",
        "pass  # a request",
        by="test_what_is_not_sampled_is_passed_on_as_such",
        having=("tracing", "calls"),
    ),
    Patch(
        "C1",
        "a later traceparent is passed on as it is",
        CONTEXT,
        'f"00{traceparent[2:55]}"',
        "traceparent",
        by="test_what_a_later_traceparent_has_breaks_no_call",
    ),
    Patch(
        "C1",
        "a wait that is asked for has no bound",
        ATTEMPTS,
        "_MAX_RETRY_AFTER: Final = 3600.0",
        '_MAX_RETRY_AFTER: Final = float("inf")',
        by="test_a_wait_that_is_asked_for_is_passed_on_within_bounds",
    ),
    Patch(
        "C1",
        "a call is cut off when the process is told to end",
        SERVER,
        "            stop()\n            return\n",
        "            for worker in self.wrks:\n"
        "                cut = (worker.inner.pid, signal.SIGKILL)\n"
        "                threading.Timer(0.2, os.kill, cut).start()\n"
        "            stop()\n            return\n",
        by="test_a_call_in_flight_is_completed_before_the_process_ends",
    ),
    Patch(
        "C2",
        "what stands in for the network is not asked",
        PEERS,
        "seconds=seconds, transport=transport)",
        "seconds=seconds, transport=None and transport)",
        by="test_its_own_tests_stand_in_for_the_other_service",
    ),
    Patch(
        "C2",
        "a POST without a key is sent twice",
        ATTEMPTS,
        '(method == "POST" and keyed)',
        '(method == "POST")',
        by="test_its_own_tests_stand_in_for_the_other_service",
    ),
)

# Where an event loop waits.
AWAITED = calling(
    Patch(
        "C1",
        "each byte has the time of a whole call",
        CLIENT,
        "limit = asyncio.timeout(seconds)",
        "limit = asyncio.timeout(None)",
        by="test_all_of_a_call_ends_in_time",
    ),
)

# Where threads wait.
IN_THREADS = calling(
    Patch(
        "C1",
        "each byte has the time of a whole call",
        NETWORK,
        "given = [seconds for seconds in (timeout, remaining()) if seconds is not None]",
        "given = [seconds for seconds in (timeout,) if seconds is not None]",
        by="test_all_of_a_call_ends_in_time",
    ),
)
