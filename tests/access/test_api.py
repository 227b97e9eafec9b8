"""`/api/v1/keys`."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

from access.api.urls import urlpatterns
from access.entrance import get_gate
from access.models import ApiKey
from access.scopes import Scope
from access.services import create_key

pytestmark = [pytest.mark.django_db, pytest.mark.urls("access.api.urls")]

SHOWN = {"prefix", "name", "scopes", "rate", "owner", "created_at", "expires_at", "revoked"}


@pytest.fixture(autouse=True)
def _edge(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "EXCEPTION_HANDLER": "tests.access.doubles.handle",
    }


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {create_key('boss', ['admin'])[1]}")
    return client


def make(client: APIClient, **fields: Any) -> Any:
    return client.post("/keys", {"name": "ci", "scopes": ["predict"], **fields}, format="json")


def test_a_key_is_made_and_shown_once(client: APIClient) -> None:
    expires_at = timezone.now() + timedelta(days=1)
    response = make(client, scopes=["read", "predict"], rate="5/minute", expires_at=expires_at)
    assert response.status_code == 201
    made = response.data
    assert set(made) == SHOWN | {"key"}
    assert made["scopes"] == ["predict", "read"]
    assert (made["rate"], made["owner"], made["revoked"]) == ("5/minute", None, False)
    assert get_gate().admit(None, made["key"], Scope.READ).id == made["prefix"]

    shown = client.get(f"/keys/{made['prefix']}")
    assert shown.data == {name: made[name] for name in SHOWN}
    assert made["key"] not in client.get("/keys").content.decode()


def test_no_answer_holds_a_digest(client: APIClient) -> None:
    prefix = make(client).data["prefix"]
    hashed = ApiKey.objects.get(prefix=prefix).hashed_key
    for path in ("/keys", f"/keys/{prefix}"):
        assert hashed not in client.get(path).content.decode()


def test_a_deleted_key_is_revoked_and_kept(client: APIClient) -> None:
    made = make(client).data
    for _ in range(2):
        assert client.delete(f"/keys/{made['prefix']}").status_code == 204
    assert client.get(f"/keys/{made['prefix']}").data["revoked"] is True
    refused = APIClient().get("/keys", HTTP_AUTHORIZATION=f"Bearer {made['key']}")
    assert refused.data["code"] == "invalid_key"


def test_keys_are_listed_newest_first_and_by_pages(client: APIClient) -> None:
    names = [f"key {number}" for number in range(5)]
    for name in names:
        make(client, name=name)
    found: list[str] = []
    path = "/keys?limit=2"
    while path:
        page = client.get(path).data
        assert len(page["results"]) <= 2
        found += [key["name"] for key in page["results"]]
        path = page["next"]
    assert found == [*reversed(names), "boss"]


def test_a_key_made_in_a_session_belongs_to_its_account(root: User) -> None:
    client = APIClient()
    client.force_login(root)
    assert make(client).data["owner"] == "root"


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "/keys"), ("post", "/keys"), ("get", "/keys/abc"), ("delete", "/keys/abc")],
)
def test_everything_about_keys_needs_admin(method: str, path: str) -> None:
    others = [str(scope) for scope in Scope if scope is not Scope.ADMIN]
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=create_key("all but one", others)[1])
    assert getattr(client, method)(path).data["code"] == "scope_missing"
    assert getattr(APIClient(), method)(path).data["code"] == "missing_key"


@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_unknown_prefix_is_not_found(client: APIClient, method: str) -> None:
    response = getattr(client, method)("/keys/nosuchkey")
    assert response.data["code"] == "key_not_found"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 51},
        {"name": "a\u0000b"},
        {"scopes": []},
        {"scopes": ["fly"]},
        {"scopes": "predict"},
        {"scopes": ["predict"] * 100},
        {"rate": "often"},
        {"rate": "1/second" * 100},
        {"expires_at": "tomorrow"},
        {"expires_at": "2020-01-01T00:00:00Z"},
    ],
)
def test_a_bad_request_makes_no_key_and_names_the_field(
    client: APIClient, fields: dict[str, Any]
) -> None:
    response = make(client, **fields)
    assert response.status_code in {400, 418}
    assert next(iter(fields)) in response.content.decode()
    assert ApiKey.objects.count() == 1


def test_the_schema_shows_both_ways_of_sending_a_key() -> None:
    with patched_settings({"POSTPROCESSING_HOOKS": []}):
        schema = SchemaGenerator(patterns=urlpatterns).get_schema(request=None, public=True)
    validate_schema(schema)
    assert schema["components"]["securitySchemes"]["bearerKey"]["scheme"] == "bearer"
    assert schema["components"]["securitySchemes"]["headerKey"]["name"] == "X-API-Key"
    listed = schema["paths"]["/keys"]["get"]
    assert {"bearerKey": []} in listed["security"]
    assert {"headerKey": []} in listed["security"]
    assert "key" in schema["components"]["schemas"]["NewKey"]["properties"]
