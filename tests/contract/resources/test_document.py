"""R5: the OpenAPI document of any declaration says what the service does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from scaffold.resources.model import Resource
from tests.contract.canonical import canonical
from tests.contract.declarations import RICH
from tests.contract.declared import columns, path_of, referring
from tests.contract.findings import findings
from tests.contract.rows import Rows
from tests.contract.test_document import operations, resolve
from tests.services import Service

pytestmark = [pytest.mark.contract("R5"), pytest.mark.any_database]

CANONICAL = Path(__file__).parent.parent / "openapi-rich.json"


@pytest.fixture
def document(declared_service: Service) -> dict[str, Any]:
    return dict(declared_service.http.get("/openapi.json").json())


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(names) == len(set(names))


def test_the_document_is_the_same_on_every_service(
    document: dict[str, Any], declaration: str
) -> None:
    """In paths, methods, parameters, schemas and statuses; not in words, names and order."""
    if declaration != RICH:
        pytest.skip("that of the example is compared elsewhere, others with nothing")
    assert canonical(document) == canonical(json.loads(CANONICAL.read_text()))


def test_it_has_every_operation_with_its_statuses_and_parameters(
    document: dict[str, Any], resource: Resource, resources: tuple[Resource, ...]
) -> None:
    base, row = path_of(resource), f"{path_of(resource)}/{{{resource.name}_id}}"
    found = operations(document)
    kept = {"409"} if referring(resources, resource) else set()
    unique = {"409"} if any(field.unique for field in resource.fields) else set()
    body = {"400", "413", "415", "422"}
    for key, statuses in {
        ("get", base): {"200", "422"},
        ("post", base): {"201", "409", *body},  # its key may be in use
        ("get", row): {"200", "304", "404"},
        ("put", row): {"200", "404", "412", *body, *unique},
        ("patch", row): {"200", "404", "412", *body, *unique},
        ("delete", row): {"204", "404", "412", *kept},
    }.items():
        declared = set(found[key]["responses"])
        assert statuses <= declared, f"{key}: {statuses - declared} are missing"
        assert ("409" in declared) == ("409" in statuses), f"{key} has a conflict or has none"
    parameters = {
        one["name"]
        for one in (resolve(document, entry) for entry in found["get", base]["parameters"])
        if one["in"] == "query"
    }
    filters = {field.column for field in resource.fields if field.filter}
    sort = {"sort"} if any(field.sort for field in resource.fields) else set()
    assert parameters == {"limit", "cursor", *filters, *sort}


def test_it_has_every_field_as_it_is_declared(document: dict[str, Any], resource: Resource) -> None:
    found = operations(document)
    base, row = path_of(resource), f"{path_of(resource)}/{{{resource.name}_id}}"
    sent = schema_of(document, found["post", base]["requestBody"])
    patch = schema_of(document, found["patch", row]["requestBody"])
    shown = schema_of(document, found["get", row]["responses"]["200"])
    own = {"id", "created_at", "updated_at"}
    assert set(sent["properties"]) == set(patch["properties"]) == set(columns(resource))
    assert set(shown["properties"]) == {*own, *columns(resource)}
    assert set(shown["required"]) == {*own, *columns(resource)}
    assert set(sent.get("required", [])) == {f.column for f in resource.fields if f.required}
    assert not patch.get("required")
    assert sent["additionalProperties"] is patch["additionalProperties"] is False
    for field in resource.fields:
        for schema in (sent, patch, shown):
            options = flattened(document, schema["properties"][field.column])
            types = {option.get("type") for option in options if "type" in option}
            assert ("null" in types) == field.optional, (field.column, options)
            if field.type == "enum":
                values = {v for option in options for v in option.get("enum", [])}
                assert values == set(field.values)
            if field.type == "int":
                bounded = next(option for option in options if option["type"] == "integer")
                if schema is not shown:
                    assert bounded["minimum"] == field.min
                    assert bounded["maximum"] == field.max


def schema_of(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body."""
    content = resolve(document, node)["content"]
    return resolve(document, next(iter(content.values()))["schema"])


def flattened(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives that a schema has."""
    schema = resolve(document, schema)
    options = schema.get("anyOf", schema.get("oneOf"))
    if options:
        return [one for option in options for one in flattened(document, option)]
    kinds = schema.get("type")
    return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else [schema]


LONGEST_MINIMUM = 1000
"""Of text; hypothesis has no room for the examples of more."""


@pytest.fixture
def generated(resources: tuple[Resource, ...]) -> None:
    """Only what schemathesis can make examples of."""
    least = [
        field.min for one in resources for field in one.fields if field.type in ("str", "text")
    ]
    if any(int(length or 0) > LONGEST_MINIMUM for length in least):
        pytest.skip("its shortest text is longer than schemathesis makes one")


@pytest.mark.any_framework
@pytest.mark.usefixtures("generated")
def test_schemathesis_finds_nothing(declared_service: Service, rows: Rows) -> None:
    found = findings(declared_service, rows.resources, examples=5)
    assert found == [], "\n\n".join(found[:5])


@pytest.mark.slow
@pytest.mark.usefixtures("generated")
def test_schemathesis_finds_nothing_when_it_looks_longer(
    declared_service: Service, rows: Rows
) -> None:
    found = findings(declared_service, rows.resources, examples=50)
    assert found == [], "\n\n".join(found[:5])
