"""The admin, as a browser uses it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.test import override_settings

USER = {"username": "ada", "password": "correct horse battery staple"}


def submit(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Open the page of a form and send the form with these fields."""
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path).text)
    assert token
    form = {"csrfmiddlewaretoken": token[1], **fields}
    return client.post(path, data=form, headers={"Referer": f"https://test{path}"})


@pytest.fixture
def admin(client: httpx.Client) -> Iterator[httpx.Client]:
    """A client that has signed in."""
    fast = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(PASSWORD_HASHERS=[fast]):
        get_user_model().objects.create_superuser(USER["username"], password=USER["password"])
        assert submit(client, "/admin/login/", **USER, next="/admin/").status_code == 302
        yield client


def test_nobody_is_let_in_who_did_not_sign_in(client: httpx.Client) -> None:
    for path in ("/admin/", "/admin/items/item/", "/admin/no/such/path"):
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
    fields = {"name": "bolt", "quantity": "1"}
    assert admin.post("/admin/items/item/add/", data=fields).status_code == 403
    assert admin.get("/v1/items").json()["items"] == []


def test_an_item_of_the_admin_is_one_of_the_api(admin: httpx.Client) -> None:
    added = submit(admin, "/admin/items/item/add/", name="bolt", quantity="7")
    assert added.headers["Location"] == "/admin/items/item/"
    (item,) = admin.get("/v1/items").json()["items"]
    assert (item["name"], item["quantity"]) == ("bolt", 7)


def test_a_change_in_the_admin_is_a_new_revision(admin: httpx.Client) -> None:
    created = admin.post("/v1/items", json={"name": "bolt"})
    url, tag = created.headers["Location"], created.headers["ETag"]
    submit(admin, "/admin/items/item/1/change/", name="nut", quantity="3")
    changed = admin.get(url, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["name"]) == (200, "nut")
    refused = admin.put(url, json={"name": "mine"}, headers={"If-Match": tag})
    assert refused.status_code == 412


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "taken", "quantity": "1"},
        {"name": "a\tb", "quantity": "1"},
        {"name": "x" * 101, "quantity": "1"},
        {"name": "bolt", "quantity": "-1"},
        {"name": "bolt", "quantity": "1000001"},
    ],
)
def test_the_admin_refuses_what_the_api_refuses(
    admin: httpx.Client, fields: dict[str, str]
) -> None:
    admin.post("/v1/items", json={"name": "taken"})
    refused = submit(admin, "/admin/items/item/add/", **fields)
    assert refused.status_code == 200
    assert "Please correct the error" in refused.text
    assert len(admin.get("/v1/items").json()["items"]) == 1


def test_only_pages_pass_what_is_for_pages(admin: httpx.Client) -> None:
    """The API asks for no session and no form's token, and sends a browser no word of them."""
    assert admin.get("/admin/").headers["X-Frame-Options"] == "DENY"
    answer = admin.post("/v1/items", json={"name": "bolt"})
    assert answer.status_code == 201
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
