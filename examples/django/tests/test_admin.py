"""The admin, as a browser uses it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
import samples
from django.contrib.auth import get_user_model
from django.test import override_settings

from stock_keeper.products.models import Product

USER = {"username": "ada", "password": "correct horse battery staple"}


LIST = "/admin/products/product/"


class Form(HTMLParser):
    """The fields of a page's forms with their values, as a browser would send them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._name: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        name, value = found.get("name"), found.get("value") or ""
        if tag in ("select", "textarea"):
            self._name = name
        elif tag == "option" and "selected" in found and self._name:
            self.fields[self._name] = value
        elif tag == "input" and name and found.get("type") != "submit":
            if found.get("type") != "checkbox":
                self.fields[name] = value
            elif "checked" in found:
                self.fields[name] = "on"

    def handle_data(self, data: str) -> None:
        if self._name and self.lasttag == "textarea":
            self.fields[self._name] = data.removeprefix("\n").removeprefix("\r\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self._name = None


def submit(client: httpx.Client, path: str, /, **fields: str) -> httpx.Response:
    """Open the page of a form, and send it with these fields changed."""
    form = Form(client.get(path).text).fields | fields
    return client.post(path, data=form, headers={"Referer": f"https://test{path}"})


def create(client: httpx.Client) -> httpx.Response:
    """Create a row by the API."""
    created = client.post("/v1/products", json=samples.product_content(client))
    assert created.status_code == 201
    return created


def fields_of(client: httpx.Client, created: httpx.Response) -> dict[str, str]:
    """What the form of the row has."""
    row = Product.objects.get(uuid=created.json()["id"])
    fields = Form(client.get(f"{LIST}{row.pk}/change/").text).fields
    del fields["csrfmiddlewaretoken"]
    return fields


@pytest.fixture
def admin(client: httpx.Client) -> Iterator[httpx.Client]:
    """A client that has signed in."""
    fast = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(PASSWORD_HASHERS=[fast]):
        get_user_model().objects.create_superuser(USER["username"], password=USER["password"])
        assert submit(client, "/admin/login/", **USER, next="/admin/").status_code == 302
        yield client


def test_nobody_is_let_in_who_did_not_sign_in(client: httpx.Client) -> None:
    for path in ("/admin/", LIST, "/admin/no/such/path"):
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")


def test_a_wrong_password_signs_nobody_in(client: httpx.Client) -> None:
    answer = submit(client, "/admin/login/", username="ada", password="guess")
    assert answer.status_code == 200
    assert "Please enter the correct username and password" in answer.text
    assert "sessionid" not in client.cookies


def test_the_cookie_of_a_sign_in_goes_over_https_only_and_to_no_script(
    admin: httpx.Client,
) -> None:
    cookie = next(cookie for cookie in admin.cookies.jar if cookie.name == "sessionid")
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")


def test_a_form_that_another_site_sends_is_refused(admin: httpx.Client) -> None:
    created = create(admin)
    fields = fields_of(admin, created)
    assert admin.post(f"{LIST}add/", data=fields).status_code == 403
    assert len(admin.get("/v1/products").json()["products"]) == 1


def test_what_the_admin_adds_is_in_the_api(admin: httpx.Client) -> None:
    created = create(admin)
    fields = fields_of(admin, created)
    assert admin.delete(created.headers["Location"]).status_code == 204
    assert submit(admin, f"{LIST}add/", **fields).headers["Location"] == LIST
    (added,) = admin.get("/v1/products").json()["products"]
    apart = {"id": "", "created_at": "", "updated_at": ""}
    assert added | apart == created.json() | apart
    assert added["id"] != created.json()["id"]
    assert "1 product" in admin.get(f"{LIST}?q=").text


def test_a_change_in_the_admin_is_a_new_revision(admin: httpx.Client) -> None:
    created = create(admin)
    url, tag = created.headers["Location"], created.headers["ETag"]
    number = Product.objects.get(uuid=created.json()["id"]).pk
    assert submit(admin, f"{LIST}{number}/change/").headers["Location"] == LIST
    changed = admin.get(url, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.json() | {"updated_at": ""} == created.json() | {"updated_at": ""}
    content = samples.product_content(admin)
    assert admin.put(url, json=content, headers={"If-Match": tag}).status_code == 412


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", "x" * 41),
        ("sku", "a\x07b"),
        ("name", "x" * 101),
        ("name", "a\x07b"),
        ("price", "?"),
    ],
)
def test_the_admin_refuses_what_the_api_refuses(
    admin: httpx.Client, field: str, value: str
) -> None:
    created = create(admin)
    fields = fields_of(admin, created) | {field: value}
    assert admin.delete(created.headers["Location"]).status_code == 204
    refused = submit(admin, f"{LIST}add/", **fields)
    assert refused.status_code == 200
    assert "Please correct the error" in refused.text
    assert admin.get("/v1/products").json()["products"] == []


def test_what_is_unique_is_so_in_the_admin_too(admin: httpx.Client) -> None:
    fields = fields_of(admin, create(admin))
    assert "already exists" in submit(admin, f"{LIST}add/", **fields).text
    assert len(admin.get("/v1/products").json()["products"]) == 1


def test_only_pages_pass_what_is_for_pages(admin: httpx.Client) -> None:
    """The API asks for no session and no form's token, and sends a browser no word of them."""
    assert admin.get("/admin/").headers["X-Frame-Options"] == "DENY"
    answer = create(admin)
    assert not {"X-Frame-Options", "Vary", "Set-Cookie"} & set(answer.headers)


def test_its_style_comes_from_the_service_itself(client: httpx.Client) -> None:
    page = client.get("/admin/login/").text
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert sheets
    for sheet in sheets:
        answer = client.get(sheet)
        assert (answer.status_code, answer.headers["Content-Type"][:8]) == (200, "text/css")
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_forms_are_taken_from_the_hosts_that_are_allowed() -> None:
    code = "from stock_keeper.django_settings import *; print(CSRF_TRUSTED_ORIGINS)"
    environ = os.environ | {"ALLOWED_HOSTS": "example.com, *.example.com"}
    printed = subprocess.check_output([sys.executable, "-c", code], env=environ, text=True)
    assert printed.strip() == "['https://example.com', 'https://*.example.com']"
