"""API keys in the admin."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from access.entrance import get_gate
from access.errors import InvalidKey
from access.models import ApiKey
from access.scopes import Scope
from access.services import create_key, revoke_key
from tests.access.people import make_person

pytestmark = pytest.mark.django_db

LIST, ADD = "admin:access_apikey_changelist", "admin:access_apikey_add"


@pytest.fixture
def as_root(root: User, client: Client) -> Client:
    client.force_login(root)
    return client


def add(client: Client, **fields: Any) -> Any:
    form = {"name": "ci", "scopes": ["predict", "read"], "rate": "", "owner": "", **fields}
    form |= {"expiry_date_0": "", "expiry_date_1": ""}
    return client.post(reverse(ADD), form, follow=True)


def change_path(key: ApiKey) -> str:
    return reverse("admin:access_apikey_change", args=[key.pk])


def test_a_made_key_is_shown_once_and_works(as_root: Client) -> None:
    page = add(as_root).content.decode()
    found = re.search(r"\b\w{8}\.\w{32}\b", page)
    assert found is not None
    assert get_gate().admit(None, found[0], Scope.READ).name == "ci"
    assert found[0] not in as_root.get(reverse(LIST)).content.decode()
    assert ApiKey.objects.get().scopes == ["predict", "read"]


def test_scopes_are_checkboxes(as_root: Client) -> None:
    page = as_root.get(reverse(ADD)).content.decode()
    boxes = re.findall(r'<input[^>]*type="checkbox"[^>]*name="scopes"[^>]*>', page) or re.findall(
        r'<input[^>]*name="scopes"[^>]*type="checkbox"[^>]*>', page
    )
    assert len(boxes) == len(Scope)


@pytest.mark.parametrize("fields", [{"scopes": []}, {"scopes": ["fly"]}, {"rate": "often"}])
def test_a_bad_form_makes_no_key(as_root: Client, fields: dict[str, Any]) -> None:
    assert add(as_root, **fields).status_code == 200
    assert not ApiKey.objects.exists()


def test_a_change_leaves_key_and_digest_alone(as_root: Client) -> None:
    key, plaintext = create_key("ci", ["predict"])
    page = as_root.get(change_path(key))
    assert page.status_code == 200
    form = {"name": "cd", "scopes": ["read"], "rate": "5/minute", "owner": ""}
    form |= {"expiry_date_0": "", "expiry_date_1": "", "hashed_key": "sha512$$00", "prefix": "x"}
    as_root.post(change_path(key), form)
    changed = ApiKey.objects.get()
    assert (changed.name, changed.scopes, changed.rate) == ("cd", ["read"], "5/minute")
    assert (changed.hashed_key, changed.prefix) == (key.hashed_key, key.prefix)
    assert get_gate().admit(None, plaintext, Scope.READ).name == "cd"


def test_the_revoke_action_ends_the_chosen_keys(as_root: Client) -> None:
    key, plaintext = create_key("ci", ["predict"])
    get_gate().admit(None, plaintext, Scope.PREDICT)
    as_root.post(reverse(LIST), {"action": "revoke", "_selected_action": [key.pk]})
    with pytest.raises(InvalidKey):
        get_gate().admit(None, plaintext, Scope.PREDICT)


def test_a_deleted_key_stops_at_once(as_root: Client) -> None:
    key, plaintext = create_key("ci", ["predict"])
    get_gate().admit(None, plaintext, Scope.PREDICT)
    as_root.post(reverse("admin:access_apikey_delete", args=[key.pk]), {"post": "yes"})
    with pytest.raises(InvalidKey):
        get_gate().admit(None, plaintext, Scope.PREDICT)


def test_a_revoked_key_can_only_be_looked_at(as_root: Client) -> None:
    key, _ = create_key("ci", ["predict"])
    revoke_key(key.prefix)
    assert as_root.get(change_path(key)).status_code == 200
    assert as_root.post(change_path(key), {"name": "cd"}).status_code == 403


@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_whoever_is_no_administrator_sees_no_keys(client: Client, role: str) -> None:
    client.force_login(make_person(role))
    key, _ = create_key("ci", ["predict"])
    assert client.get(reverse(LIST)).status_code == 403
    assert client.get(change_path(key)).status_code == 403
    assert client.post(change_path(key), {"name": "cd"}).status_code == 403
    assert client.get(reverse(ADD)).status_code == 403


def test_an_administrator_makes_keys_without_being_a_superuser(client: Client) -> None:
    client.force_login(make_person("admin"))
    add(client, scopes=["admin"])
    assert ApiKey.objects.get().scopes == ["admin"]


def test_the_librarys_own_keys_have_no_page(as_root: Client) -> None:
    assert as_root.get("/admin/rest_framework_api_key/apikey/").status_code == 404
