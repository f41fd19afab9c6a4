"""A1 to A4: who may call a service that was made ``with: [auth]``."""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract import issuers, provider
from tests.contract.browser import everything_tried
from tests.contract.canonical import canonical
from tests.contract.conftest import Target
from tests.contract.issuers import Issuer, serving_issuer
from tests.contract.items import ITEMS, UNKNOWN_ID, assert_problem, create, fresh_name
from tests.contract.websocket import handshake, new_key
from tests.servers import wait_until
from tests.services import (
    PACKAGE,
    Project,
    Projects,
    Service,
    copy_of,
    lend_environment,
    project_having,
)

CANONICAL = Path(__file__).parent / "openapi.json"
READ, WRITE = "items:read", "items:write"
OPEN = ("/livez", "/readyz", "/metrics", "/openapi.json", "/docs")
OPERATIONS = {
    ("GET", ITEMS): READ,
    ("HEAD", ITEMS): READ,
    ("POST", ITEMS): WRITE,
    ("GET", f"{ITEMS}/{UNKNOWN_ID}"): READ,
    ("HEAD", f"{ITEMS}/{UNKNOWN_ID}"): READ,
    ("PUT", f"{ITEMS}/{UNKNOWN_ID}"): WRITE,
    ("PATCH", f"{ITEMS}/{UNKNOWN_ID}"): WRITE,
    ("DELETE", f"{ITEMS}/{UNKNOWN_ID}"): WRITE,
}
SLOW = pytest.mark.slow
FETCH_INTERVAL, FETCH_SECONDS = 10, 5


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    with serving_issuer() as running:
        yield running


@pytest.fixture
def own_issuer() -> Iterator[Issuer]:
    """One that the test may break."""
    with serving_issuer() as running:
        yield running


@pytest.fixture(scope="session")
def forged(issuer: Issuer) -> dict[str, str]:
    """What nobody may let in, though it has both scopes."""
    return issuer.forged(READ, WRITE)


@pytest.fixture(scope="session")
def auth_project(target: Target, projects: Projects) -> Project:
    return project_having(projects, target.framework, "auth")


@pytest.fixture(scope="session")
def guarded(auth_project: Project, database: Any, issuer: Issuer) -> Iterator[Service]:
    """A service that trusts the issuer, whose client sends no token."""
    environment = {"DATABASE_URL": database.url, **issuer.environment}
    with auth_project.service(environment) as running:
        yield running


Start = Callable[..., Service]


@pytest.fixture
def start(auth_project: Project, new_migrated: Any, request: pytest.FixtureRequest) -> Start:
    """Starts services of the test's own."""

    def started(environment: Mapping[str, str]) -> Service:
        running = auth_project.service({"DATABASE_URL": new_migrated().url, **environment})
        service = running.__enter__()
        request.addfinalizer(lambda: running.__exit__(None, None, None))
        return service

    return started


def assert_unauthorized(answer: httpx.Response, error: str = "invalid_token") -> None:
    assert_problem(answer, 401)
    challenge = answer.headers["WWW-Authenticate"]
    assert re.match(r'Bearer realm="[\x20\x21\x23-\x7e]+"', challenge), challenge
    assert (f'error="{error}"' in challenge) if error else ("error" not in challenge), challenge


def send(client: httpx.Client, operation: tuple[str, str], header: str | None) -> httpx.Response:
    """A request whose body is no JSON, which nobody is told who may not send one."""
    method, path = operation
    headers = {} if header is None else {"Authorization": header}
    content = b"{" if method in ("POST", "PUT", "PATCH") else None
    return client.request(method, path, content=content, headers=headers)


@pytest.mark.contract("A1")
@pytest.mark.any_database
@pytest.mark.any_server
@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_no_forged_token_is_let_in(
    guarded: Service, forged: dict[str, str], operation: tuple[str, str]
) -> None:
    for header in (None, "", "Basic c29tZWJvZHk6c2VjcmV0", "Token abc"):
        answer = send(guarded.http, operation, header)
        assert answer.status_code == 401
        if operation[0] != "HEAD":
            assert_unauthorized(answer, error="")
    for what, token in forged.items():
        answer = send(guarded.http, operation, f"Bearer {token}")
        assert (what, answer.status_code) == (what, 401)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"], what
    assert send(guarded.http, operation, "Bearer").status_code == 401


@pytest.mark.contract("A1")
@pytest.mark.any_database
def test_a_token_counts_in_the_header_alone(guarded: Service, issuer: Issuer) -> None:
    token = issuer.token(READ, WRITE)
    for answer in (
        guarded.http.get(ITEMS, params={"access_token": token}),
        guarded.http.post(ITEMS, data={"access_token": token}),
        guarded.http.get(ITEMS, headers={"Cookie": f"access_token={token}"}),
    ):
        assert_unauthorized(answer, error="")
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]
    assert guarded.http.get(ITEMS, headers=twice).status_code in (400, 401)


@pytest.mark.contract("A1")
@pytest.mark.any_database
def test_clocks_may_differ_by_a_minute(guarded: Service, issuer: Issuer) -> None:
    now = int(time.time())
    for claims in ({"exp": now - 40}, {"nbf": now + 40}, {"iat": now + 40}):
        answer = guarded.http.get(ITEMS, headers=issuer.bearer(READ, **claims))
        assert answer.status_code == 200, claims
    lower = {"Authorization": f"bearer {issuer.token(READ)}"}
    assert guarded.http.get(ITEMS, headers=lower).status_code == 200
    several = issuer.bearer(READ, aud=["another", issuers.AUDIENCE])
    assert guarded.http.get(ITEMS, headers=several).status_code == 200


@pytest.mark.contract("A1")
@pytest.mark.any_database
@pytest.mark.slow
def test_a_token_is_accepted_until_it_expires_also_when_it_was_seen(
    guarded: Service, issuer: Issuer
) -> None:
    expiring = issuer.bearer(READ, exp=int(time.time()) - 58)
    first = guarded.http.get(ITEMS, headers=expiring)
    assert first.status_code == 200
    wait_until(
        lambda: guarded.http.get(ITEMS, headers=expiring).status_code == 401, 5, "an expired token"
    )


@pytest.mark.contract("A2")
@pytest.mark.any_database
@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_each_operation_asks_for_its_scope(
    guarded: Service, issuer: Issuer, operation: tuple[str, str]
) -> None:
    scope = OPERATIONS[operation]
    other = ({READ, WRITE} - {scope}).pop()
    allowed = send(guarded.http, operation, f"Bearer {issuer.token(scope)}")
    assert allowed.status_code in (200, 400, 404, 415)
    for scopes in ([], [other], [scope.upper(), f"x{scope}", f"{scope}x", "items", "items:*"]):
        denied = send(guarded.http, operation, f"Bearer {issuer.token(*scopes)}")
        assert denied.status_code == 403
        challenge = denied.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert f'scope="{scope}"' in challenge
        if operation[0] != "HEAD":
            assert_problem(denied, 403)


@pytest.mark.contract("A2")
@pytest.mark.any_database
def test_what_is_denied_is_not_done(guarded: Service, issuer: Issuer) -> None:
    guarded.http.headers.update(issuer.bearer(READ, WRITE))
    created = create(guarded.http)
    del guarded.http.headers["Authorization"]
    url, reader = created.headers["Location"], issuer.bearer(READ)
    for headers, status in (({}, 401), (reader, 403)):
        name = fresh_name()
        for method in ("DELETE", "PUT", "PATCH"):
            content = None if method == "DELETE" else {"name": name}
            denied = guarded.http.request(method, url, json=content, headers=headers)
            assert denied.status_code == status
        assert guarded.http.post(ITEMS, json={"name": name}, headers=headers).status_code == status
        assert name not in guarded.http.get(ITEMS, headers=reader, params={"limit": 100}).text
    assert guarded.http.get(url, headers=reader).json() == created.json()


@pytest.mark.contract("A2")
@pytest.mark.any_database
def test_what_is_no_operation_is_open_or_asks_for_a_token(guarded: Service, issuer: Issuer) -> None:
    for path in OPEN:
        assert (path, guarded.http.get(path).status_code) == (path, 200)
        forged = guarded.http.get(path, headers={"Authorization": "Bearer x"})
        assert (path, forged.status_code) == (path, 200)
    for path in (ITEMS, f"{ITEMS}/{UNKNOWN_ID}"):
        assert guarded.http.options(path).status_code == 204
    token = issuer.bearer(READ, WRITE)
    for method, path, status in (("GET", "/none", 404), ("TRACE", ITEMS, 405)):
        assert guarded.http.request(method, path).status_code in (401, status)
        assert guarded.http.request(method, path, headers=token).status_code == status


# Handlers of an owner's own that answer a method which the document does not have, by the method.
OWN_HANDLERS = {
    "pyramid": (
        "DELETE",
        "    app: Service",
        '    config.add_route("own", "/v1/own")\n'
        '    own = lambda request: {"done": request.method}\n'
        '    config.add_view(own, route_name="own", renderer="json")\n',
    ),
    "falcon": (
        "HEAD",
        "    return app",
        "    class Own:\n"
        "        def on_post(self, req, resp):\n"
        "            resp.media = {}\n\n"
        "        on_head = on_post\n\n"
        '    app.add_route("/v1/own", Own())\n',
    ),
    "flask": (
        "HEAD",
        "    return app",
        '    app.add_url_rule("/v1/own", "own", lambda: {}, methods=["HEAD", "POST"])\n',
    ),
}


@pytest.mark.contract("A1", "A2")
@pytest.mark.any_database
@pytest.mark.any_framework("pyramid")
def test_what_answers_a_method_that_no_document_has_asks_for_a_token(
    auth_project: Project, database: Any, issuer: Issuer, tmp_path: Path
) -> None:
    if auth_project.framework not in OWN_HANDLERS:
        pytest.skip("all that it answers is in the document")
    method, before, lines = OWN_HANDLERS[auth_project.framework]
    folder = tmp_path / "service"
    copy_of(auth_project.folder, folder)
    lend_environment(auth_project.folder, folder)
    app = folder / "src" / PACKAGE / "app.py"
    assert before in app.read_text()
    app.write_text(app.read_text().replace(before, lines + before))
    paths = [str(folder / "src"), *filter(None, [auth_project.surroundings.get("PYTHONPATH")])]
    surroundings = {**auth_project.surroundings, "PYTHONPATH": ":".join(paths)}
    own = Project(auth_project.framework, folder, surroundings)
    with own.service({"DATABASE_URL": database.url, **issuer.environment}) as service:
        assert service.http.request(method, "/v1/own").status_code == 401
        answer = service.http.request(method, "/v1/own", headers=issuer.bearer())
        assert answer.status_code == 200


@pytest.mark.contract("A2")
@pytest.mark.feature("stream")
@pytest.mark.any_database
def test_a_stream_is_refused_at_the_handshake(guarded: Service, issuer: Issuer) -> None:
    def opened(headers: Mapping[str, str]) -> int:
        """The status of a handshake; what comes after a successful one is not waited for."""
        sent = dict(handshake(new_key())) | headers
        with guarded.http.stream("GET", f"{ITEMS}/stream", headers=sent) as answer:
            return answer.status_code

    assert opened({}) == 401
    assert opened({"Authorization": "Bearer x.y.z"}) == 401
    assert opened(issuer.bearer(WRITE)) == 403
    assert opened(issuer.bearer(READ)) == 101


@pytest.mark.contract("A2", "R8")
@pytest.mark.any_database
def test_a_key_belongs_to_who_sent_it(guarded: Service, issuer: Issuer) -> None:
    body, key = {"name": fresh_name()}, secrets.token_hex(8)

    def sent(subject: str, content: dict[str, str]) -> httpx.Response:
        headers = {**issuer.bearer(WRITE, sub=subject), "Idempotency-Key": key}
        return guarded.http.post(ITEMS, json=content, headers=headers)

    first = sent("ada@example.com", body)
    assert first.status_code == 201
    assert sent("ada@example.com", body).content == first.content
    other = sent("eve@example.com", {"name": fresh_name()})
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]
    assert sent("eve@example.com", body).status_code == 422
    assert_problem(sent("bob@example.com", body), 409)


@pytest.mark.contract("A1", "R8")
@pytest.mark.any_database
@pytest.mark.any_framework("flask", "django")
@pytest.mark.parametrize("beginning", ["\ud800", 255 * "a"], ids=["surrogate", "long"])
def test_any_subject_can_send_a_key(guarded: Service, issuer: Issuer, beginning: str) -> None:
    """Also one that cannot be encoded, and two that begin alike are two."""
    key, found = secrets.token_hex(8), set()
    for subject in (f"{beginning}1", f"{beginning}2"):
        headers = {**issuer.bearer(WRITE, sub=subject), "Idempotency-Key": key}
        answer = guarded.http.post(ITEMS, json={"name": fresh_name()}, headers=headers)
        assert answer.status_code == 201
        found.add(answer.json()["id"])
    assert len(found) == 2


@pytest.mark.contract("A4")
@pytest.mark.any_database
def test_the_document_says_what_each_operation_asks_for(guarded: Service) -> None:
    document = guarded.http.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    scheme = document["components"]["securitySchemes"]
    assert {(name, one["type"], one["scheme"]) for name, one in scheme.items()} == {
        ("bearer", "http", "bearer")
    }
    without = copy.deepcopy(document)
    for path, entries in document["paths"].items():
        for method, entry in entries.items():
            plain = without["paths"][path][method]
            if path in OPEN:
                assert "security" not in entry
                continue
            assert entry["security"] == [{"bearer": [READ if method == "get" else WRITE]}]
            assert plain.pop("security")
            for status in ("401", "403"):
                problem = canonical({**document, "paths": {"/": entry["responses"][status]}})
                assert "www-authenticate" in str(problem).lower()
                del plain["responses"][status]
    assert canonical(without) == canonical(json.loads(CANONICAL.read_text()))


@pytest.mark.contract("A4", "R5")
@pytest.mark.any_database
@pytest.mark.slow
def test_the_page_takes_a_token_and_sends_it(guarded: Service, issuer: Issuer) -> None:
    """A browser signs in as somebody would, and then tries every operation."""
    methods = {method for method, _ in OPERATIONS} - {"HEAD"}
    with everything_tried(guarded.address, "/docs", issuer.token(READ, WRITE)) as seen:
        wait_until(
            lambda: methods <= {method for method, path, _ in seen if path.startswith(ITEMS)},
            60,
            "each operation is tried",
        )
    assert not [one for one in seen if one[2] in (401, 403)]
    assert ("POST", ITEMS, 201) in seen


@pytest.mark.contract("A4", "H3")
@pytest.mark.any_database
def test_the_subject_is_logged_and_no_token_ever(guarded: Service, issuer: Issuer) -> None:
    token = issuer.token(READ, sub="ada@example.com")
    for header, request_id in ((f"Bearer {token}", "known"), ("Bearer se.cr.et", "unknown")):
        sent = {"Authorization": header, "X-Request-ID": f"{request_id} subject".replace(" ", "-")}
        guarded.http.get(ITEMS, headers=sent)
    line = guarded.wait_for_request_line("known-subject")
    assert line["subject"] == "ada@example.com"
    assert "subject" not in guarded.wait_for_request_line("unknown-subject")
    denied = issuer.bearer(READ, sub="denied@example.com")
    guarded.http.post(ITEMS, headers=denied | {"X-Request-ID": "denied-subject"})
    assert guarded.wait_for_request_line("denied-subject")["subject"] == "denied@example.com"
    for part in (*token.split("."), "se.cr.et"):
        assert part not in guarded.output


@pytest.mark.contract("A1", "P4")
@pytest.mark.any_database
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OIDC_ISSUER", None),
        pytest.param("OIDC_ISSUER", "issuer.example.com", marks=SLOW),
        pytest.param("OIDC_ISSUER", "https://me:secret@issuer.example.com", marks=SLOW),
        pytest.param("OIDC_AUDIENCE", None, marks=SLOW),
        pytest.param("OIDC_AUDIENCE", "", marks=SLOW),
        pytest.param("OIDC_JWKS_URL", "file:///etc/secret", marks=SLOW),
    ],
)
@pytest.mark.any_framework
def test_a_bad_setting_ends_it_with_one_line(
    auth_project: Project, issuer: Issuer, variable: str, value: str | None
) -> None:
    environment = {**issuer.environment, variable: value, "DATABASE_URL": "sqlite:///none.db"}
    given = {name: text for name, text in environment.items() if text is not None}
    for arguments in ([], ["migrate"]):
        ended = auth_project.run(*arguments, environment=given)
        assert ended.returncode == 2
        assert variable in ended.stderr + ended.stdout
        assert len((ended.stderr + ended.stdout).strip().splitlines()) == 1
        assert "secret" not in ended.stderr + ended.stdout
        assert "Value error" not in ended.stderr + ended.stdout
        if not value:
            assert f"{variable}: is required" in ended.stderr + ended.stdout


@pytest.mark.contract("A3")
@pytest.mark.any_database
@pytest.mark.slow
def test_forged_tokens_cause_one_fetch(start: Start, own_issuer: Issuer) -> None:
    service = start(own_issuer.environment)
    assert own_issuer.asked == [], "it starts without its issuer"
    forged = list(own_issuer.forged(READ).values()) * 3
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda token: status_of(service, token), forged))
    assert statuses == {401}
    assert len(own_issuer.fetches) == 1


def status_of(service: Service, token: str) -> int:
    return timed(service, ITEMS, token)[0]


def timed(service: Service, path: str, token: str) -> tuple[int, float]:
    """The status and the seconds that it took; httpx would take most of them to begin."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(*service.address, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status, time.monotonic() - began


@pytest.mark.contract("A3")
@pytest.mark.any_database
@pytest.mark.slow
def test_a_new_key_is_found_at_once_and_an_old_one_is_forgotten(
    start: Start, own_issuer: Issuer
) -> None:
    service = start(own_issuer.environment)
    old = own_issuer.token(READ)
    assert status_of(service, old) == 200
    time.sleep(FETCH_INTERVAL)  # the promise is about fetches that far apart
    own_issuer.rotate("second")
    new = own_issuer.token(READ)
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: status_of(service, new), range(40))) == {200}
    assert status_of(service, old) == 401, "a token that was remembered"
    assert len(own_issuer.fetches) == 2


@pytest.mark.contract("A3")
@pytest.mark.any_database
@pytest.mark.fault
@pytest.mark.parametrize("fault", ["hanging", "trickling", "flooding", "refusing"])
def test_known_keys_go_on_working_whatever_the_issuer_does(
    start: Start, own_issuer: Issuer, fault: str
) -> None:
    service = start(own_issuer.environment)
    known, unknown = own_issuer.token(READ), own_issuer.forged(READ)["by a key that there is not"]
    assert status_of(service, known) == 200
    time.sleep(FETCH_INTERVAL)
    own_issuer.asked.clear()
    own_issuer.answer = {
        "hanging": issuers.hanging,
        "trickling": issuers.trickling,
        "flooding": issuers.flooding,
        "refusing": lambda handler: handler.send_error(500),
    }[fault]
    began = time.monotonic()
    with ThreadPoolExecutor(120) as pool:
        attacks = [pool.submit(timed, service, ITEMS, unknown) for _ in range(100)]
        while time.monotonic() < began + FETCH_SECONDS + 1:
            for path, token in ((ITEMS, known), ("/livez", ""), (ITEMS, own_issuer.token(READ))):
                status, seconds = timed(service, path, token)
                assert (path, status) == (path, 200)
                assert seconds < 1, f"{path} took {seconds:.1f} s"
        for attack in attacks:
            status, seconds = attack.result()
            assert status == 401
            assert seconds < FETCH_SECONDS + 2
    assert len(own_issuer.asked) <= 2
    own_issuer.answer = None
    own_issuer.rotate("after")
    wait_until(lambda: status_of(service, own_issuer.token(READ)) == 200, 20, "it is well again")


@pytest.mark.contract("A3")
@pytest.mark.any_database
@pytest.mark.fault
def test_it_starts_without_its_issuer_and_finds_it_later(start: Start, own_issuer: Issuer) -> None:
    own_issuer.answer = issuers.hanging
    service = start(own_issuer.environment)
    token = own_issuer.token(READ)
    status, seconds = timed(service, ITEMS, token)
    assert (status, seconds < FETCH_SECONDS + 1) == (503, True)
    assert service.http.get("/readyz").status_code == 200
    own_issuer.answer = None
    wait_until(lambda: status_of(service, token) == 200, 15, "the issuer is found")


@pytest.mark.contract("A3")
@pytest.mark.any_database
@pytest.mark.slow
def test_keys_come_from_the_issuer_alone(start: Start, own_issuer: Issuer, issuer: Issuer) -> None:
    """Neither a redirect nor the discovery leads to a file, or to where TLS is given up."""
    token = issuer.token(READ, iss=own_issuer.url)
    for answer in (
        issuers.redirecting(f"{issuer.url}/keys"),
        issuers.pointing(own_issuer, "file:///etc/passwd"),
        issuers.pointing(issuer, f"{issuer.url}/keys"),
    ):
        own_issuer.answer = answer
        fetched = len(issuer.fetches)
        service = start(own_issuer.environment)
        assert status_of(service, token) == 503
        assert len(issuer.fetches) == fetched
        service.end()


@pytest.mark.contract("A1", "A2", "A3")
@pytest.mark.any_database
@pytest.mark.slow
def test_tokens_of_a_certified_provider_are_accepted_and_its_keys_may_change(start: Start) -> None:
    certified = provider.Provider()
    service = start({"OIDC_ISSUER": certified.url, "OIDC_AUDIENCE": provider.AUDIENCE})
    with certified.running("RS256"):
        reader, writer = certified.token(READ), certified.token(f"{READ} {WRITE}")
        assert status_of(service, reader) == 200
        for token, status in ((reader, 403), (writer, 201)):
            headers = {"Authorization": f"Bearer {token}"}
            answer = service.http.post(ITEMS, json={"name": "a crate"}, headers=headers)
            assert answer.status_code == status
        began = time.monotonic()
    assert timed(service, ITEMS, reader)[0] == 200, "the provider is gone, its key is known"
    with certified.running("ES256"):
        time.sleep(max(0.0, FETCH_INTERVAL - (time.monotonic() - began)))
        assert status_of(service, certified.token(READ)) == 200
        assert status_of(service, reader) == 401, "its key is not published any more"
