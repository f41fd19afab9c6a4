"""R5: the OpenAPI document, equal on all services, and the page to read it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from scaffold.resources import short_form
from tests.contract.browser import Seen, everything_tried
from tests.contract.canonical import canonical
from tests.contract.conftest import Launch
from tests.contract.declarations import EXAMPLE, SHORT_FORMS
from tests.contract.findings import findings
from tests.contract.items import ITEMS
from tests.servers import wait_until
from tests.services import Service

pytestmark = [pytest.mark.contract("R5"), pytest.mark.any_database]

CANONICAL = Path(__file__).parent / "openapi.json"
ITEM = short_form.parse_all(SHORT_FORMS[EXAMPLE])


@pytest.fixture
def document(service: Service) -> dict[str, Any]:
    answer = service.http.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    return dict(answer.json())


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_is_the_same_on_every_service(document: dict[str, Any]) -> None:
    """In paths, methods, parameters, schemas and statuses; not in words, names and order."""
    assert canonical(document) == canonical(json.loads(CANONICAL.read_text()))


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    methods = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
    return {
        (method, path): operation
        for path, entry in document["paths"].items()
        for method, operation in entry.items()
        if method in methods
    }


def test_the_document_has_every_operation_with_every_status(document: dict[str, Any]) -> None:
    item = f"{ITEMS}/{{item_id}}"
    expected = {
        ("get", "/livez"): {"200"},
        ("get", "/readyz"): {"200", "503"},
        ("get", "/metrics"): {"200"},
        ("get", ITEMS): {"200", "422"},
        ("post", ITEMS): {"201", "400", "409", "413", "415", "422"},
        ("get", item): {"200", "304", "404"},
        ("put", item): {"200", "400", "404", "409", "412", "413", "415", "422"},
        ("patch", item): {"200", "400", "404", "409", "412", "413", "415", "422"},
        ("delete", item): {"204", "404", "412"},
    }
    found = operations(document)
    assert set(found) >= set(expected)
    assert not [method for method, _path in found if method in {"head", "options"}]
    for key, statuses in expected.items():
        declared = set(found[key]["responses"])
        assert statuses <= declared, f"{key}: {statuses - declared} are missing"
        if key[1].startswith(ITEMS):
            assert {"500", "503"} <= declared or "default" in declared, key


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in names)


def test_every_error_is_declared_as_a_problem(document: dict[str, Any]) -> None:
    for key, operation in operations(document).items():
        if key[1] == "/readyz":
            continue
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                resolved = resolve(document, response)
                assert list(resolved["content"]) == ["application/problem+json"], (key, status)


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def test_the_declared_headers_are_there(document: dict[str, Any]) -> None:
    found = operations(document)
    item = f"{ITEMS}/{{item_id}}"
    for key, status, names in (
        (("post", ITEMS), "201", {"location", "etag"}),
        (("get", ITEMS), "200", {"link"}),
        (("get", item), "200", {"etag"}),
        (("put", item), "200", {"etag"}),
        (("patch", item), "200", {"etag"}),
    ):
        response = resolve(document, found[key]["responses"][status])
        declared = {name.lower() for name in response.get("headers", {})}
        assert names <= declared, f"{key} {status}: {names - declared}"


@pytest.mark.any_framework("flask", "nameko")  # FastAPI with the rich declaration
def test_schemathesis_finds_nothing(service: Service) -> None:
    found = findings(service, ITEM, examples=5)
    assert found == [], "\n\n".join(found[:5])


@pytest.mark.slow
def test_schemathesis_finds_nothing_when_it_looks_longer(service: Service) -> None:
    found = findings(service, ITEM, examples=100)
    assert found == [], "\n\n".join(found[:5])


class Addresses(HTMLParser):
    """Collects every address that a page makes a browser ask for, and its inline code."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attributes:
            if not value:
                continue
            if name in {"src", "srcset", "data", "poster", "action", "formaction", "background"}:
                self.addresses.append(value)
            elif name in {"href", "xlink:href"}:
                (self.links if tag == "a" else self.addresses).append(value)
            elif name == "style":
                self.styles.append(value)

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside == "style":
            self.styles.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""


REQUESTED_BY_STYLE = re.compile(r"""(?:url\(|@import)\s*['"]?([^'")\s;]+)""")
REQUESTED_BY_SCRIPT = re.compile(r"""['"`]((?:https?:|wss?:)?//[^'"`\s]+)['"`]""")
NAMESPACE = re.compile(r"https?://(www\.w3\.org|json-schema\.org)/")
OWN_SOURCES = {"'none'", "'self'", "data:", "blob:"}
"""What a Content-Security-Policy may name, so that a browser asks no other host."""


def test_the_page_asks_no_other_host(service: Service) -> None:
    """Neither the page nor anything that it loads from the service itself."""
    waiting, seen = ["/docs"], set()
    while waiting:
        address = waiting.pop()
        seen.add(address)
        answer = service.http.get(address)
        assert answer.status_code == 200, address
        if address == "/docs":
            assert answer.headers["content-type"].split(";")[0] == "text/html"
            assert_only_its_own_host(answer.headers["content-security-policy"])
        for wanted in requested(answer):
            parts = urlsplit(urljoin(f"{service.url}{address}", wanted))
            if parts.scheme in {"data", "blob", "mailto"}:
                continue
            assert f"{parts.scheme}://{parts.netloc}" == service.url, f"{address} asks {wanted}"
            target = parts.path
            if target not in seen:
                waiting.append(target)
    assert "/docs" in seen


def assert_only_its_own_host(policy: str) -> None:
    """A browser keeps to it, whatever addresses stand in the scripts of the page."""
    directives = {name: sources for name, *sources in map(str.split, policy.split(";"))}
    assert directives["default-src"] == ["'none'"]
    assert {source for sources in directives.values() for source in sources} <= OWN_SOURCES


def requested(answer: httpx.Response) -> list[str]:
    """The addresses that a browser asks for because of this answer."""
    kind = answer.headers["content-type"].split(";")[0]
    if kind == "text/html":
        page = Addresses()
        page.feed(answer.text)
        styles = [a for style in page.styles for a in REQUESTED_BY_STYLE.findall(style)]
        scripts = [a for script in page.scripts for a in REQUESTED_BY_SCRIPT.findall(script)]
        return page.addresses + styles + [a for a in scripts if not NAMESPACE.match(a)]
    if kind == "text/css":
        return REQUESTED_BY_STYLE.findall(answer.text)
    return []


def tried(seen: list[Seen]) -> set[tuple[str, str]]:
    """The operations that were asked for, as the document names them."""
    item = re.compile(rf"{ITEMS}/[^/]+")
    return {
        (method.lower(), f"{ITEMS}/{{item_id}}" if item.fullmatch(path) else path)
        for method, path, _status in seen
    }


@pytest.mark.slow
def test_the_page_shows_the_document_and_lets_it_be_tried(launch: Launch) -> None:
    """A browser opens it, and sends every request that it offers, with the examples it shows."""
    service = launch()
    offered = set(operations(service.http.get("/openapi.json").json()))
    with everything_tried(service.address, "/docs") as seen:
        wait_until(lambda: offered <= tried(seen), 60, "each operation is tried")
    assert ("POST", ITEMS, 201) in seen
    assert not [one for one in seen if one[2] >= 500]
