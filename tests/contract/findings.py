"""What schemathesis finds in a service, beside what no schema can say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events

from scaffold.resources.model import Resource
from tests.services import Service

ACCEPTED = ["2xx", "3xx", "404", "409", "412"]
"""What a request that fits the schemas may be answered: no schema says which tag is current."""

UNSAID = {"int", "decimal", "email", "url", "datetime", "ref"}
"""Types of which a value may fit the schema and be refused all the same: 3.0 is an integer to JSON
Schema and a multiple of 0.01 is a matter of rounding, a format is not all that a library knows of
addresses, an offset may lead out of the calendar, and what a reference is to may not exist. Nor is
there a schema that says of which list a cursor is, or with which body a key was sent before."""


def findings(service: Service, resources: Iterable[Resource], examples: int) -> list[str]:
    """What schemathesis finds in all its phases, one line for each failure."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 20260101,
            "generation": {"max-examples": examples},
            "phases": {"stateful": {"generation": {"max-examples": examples}}},
            "request-timeout": 20,
            "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}},
        }
    )
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json", config=config)
    unsaid = {
        (one.plural, name)
        for one in resources
        for name in (
            "cursor",
            "Idempotency-Key",
            *(field.column for field in one.fields if field.type in UNSAID),
        )
    }
    found: list[str] = []
    phases: set[str] = set()
    for event in schemathesis.engine.from_schema(schema).execute():
        if isinstance(event, events.PhaseFinished):
            phases |= {event.phase.name.value} if event.status != Status.SKIP else set()
        if isinstance(event, events.ScenarioFinished):
            found += [
                f"{check.failure_info.failure.title}: {check.failure_info.failure.message}\n"
                f"{check.failure_info.code_sample}"
                for case, checks in event.recorder.checks.items()
                for check in checks
                if check.failure_info is not None
                and not (
                    check.name == "positive_data_acceptance"
                    and refused_places(event.recorder.interactions[case]) <= unsaid
                )
            ]
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(str(event))
    assert {"examples", "coverage", "fuzzing", "stateful"} <= phases, phases
    return found


def refused_places(interaction: Any) -> set[tuple[str, str]]:
    """The plural of the resource, and each field or parameter that a 422 names."""
    answered = json.loads(interaction.response.content)
    plural = answered["instance"].removeprefix("/v1/").partition("/")[0]
    errors = answered.get("errors", [{"pointer": ""}])
    return {(plural, error["pointer"].removeprefix("/")) for error in errors}
