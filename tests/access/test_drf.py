"""What the management plane adds to the gate: accounts, sessions, methods."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from access.drf import ApiKeyAuthentication, ServiceUser
from access.entrance import use_gate
from access.ratelimit import make_limiter
from access.scopes import Scope
from access.services import create_key
from tests.access.doubles import Clock, Shelf, facts, gate_over

pytestmark = pytest.mark.urls("tests.access.urls")


@pytest.fixture
def _keys(clock: Clock) -> Iterator[None]:
    shelf = Shelf(**{str(scope): facts(str(scope), scope) for scope in Scope})
    with use_gate(gate_over(shelf, clock)):
        yield


def client_with(key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


@pytest.mark.usefixtures("_keys")
@pytest.mark.parametrize(
    ("path", "method", "needed"),
    [
        ("/plain", "get", Scope.READ),
        ("/plain", "head", Scope.READ),
        ("/plain", "options", Scope.READ),
        ("/plain", "post", Scope.ADMIN),
        ("/mapped", "get", Scope.PROMOTE),
        ("/mapped", "head", Scope.PROMOTE),
        ("/mapped", "post", Scope.FEEDBACK),
        ("/mapped", "delete", Scope.ADMIN),
    ],
)
def test_methods_need_the_scopes_they_name(path: str, method: str, needed: Scope) -> None:
    let_in = {
        scope for scope in Scope if getattr(client_with(scope), method)(path).status_code == 200
    }
    assert let_in == {needed, Scope.ADMIN}


@pytest.mark.usefixtures("_keys")
def test_a_key_without_an_owner_is_a_user_who_is_nobody() -> None:
    response = client_with("read").get("/needs/read")
    assert response.data == {"code": "read", "user": "key:read"}
    user = ServiceUser(facts("read"))
    assert user.is_authenticated
    claims = (user.is_staff, user.is_superuser, user.is_anonymous, user.has_perm("any"))
    assert not any(claims)


@pytest.mark.usefixtures("_keys")
def test_open_views_need_no_key_and_count_nobody() -> None:
    for _ in range(3):
        assert APIClient().get("/open").status_code == 200


def test_the_challenge_is_bearer() -> None:
    assert ApiKeyAuthentication().authenticate_header(None) == "Bearer"  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_key_acts_as_its_owner_with_the_scopes_of_the_key(root: User) -> None:
    _, plaintext = create_key("root's reader", ["read"], owner=root)
    client = client_with(plaintext)
    assert client.get("/needs/read").data["user"] == "root"
    assert client.get("/needs/admin").data["code"] == "scope_missing"


@pytest.mark.django_db
def test_a_key_ends_with_its_owner(root: User, clock: Clock) -> None:
    _, plaintext = create_key("root's reader", ["read"], owner=root)
    User.objects.filter(pk=root.pk).update(is_active=False)
    assert client_with(plaintext).get("/needs/read").data["code"] == "invalid_key"


@pytest.mark.django_db
def test_a_key_whose_owner_left_a_moment_ago_is_refused(root: User) -> None:
    _, plaintext = create_key("root's reader", ["read"], owner=root)
    client = client_with(plaintext)
    assert client.get("/needs/read").status_code == 200
    User.objects.filter(pk=root.pk).update(is_active=False)
    assert client.get("/needs/read").data["code"] == "invalid_key"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_staff", "is_superuser", "granted"),
    [
        (False, False, set()),
        (True, False, set()),
        (True, True, set(Scope)),
    ],
)
def test_a_session_holds_what_its_account_is(
    is_staff: bool, is_superuser: bool, granted: set[Scope]
) -> None:
    user = User.objects.create(username="sam", is_staff=is_staff, is_superuser=is_superuser)
    client = APIClient()
    client.force_login(user)
    codes = {scope: client.get(f"/needs/{scope}").data["code"] for scope in Scope}
    assert {scope for scope, code in codes.items() if code == f"user:{user.pk}"} == granted
    assert set(codes.values()) <= {f"user:{user.pk}", "scope_missing"}


@pytest.mark.django_db
def test_a_session_is_counted_too(root: User, clock: Clock, limits_time: Clock) -> None:
    client = APIClient()
    client.force_login(root)
    with use_gate(gate_over(Shelf(), clock, limiter=make_limiter("2/hour"))):
        codes = [client.get("/needs/read").data["code"] for _ in range(3)]
    assert codes == [f"user:{root.pk}", f"user:{root.pk}", "rate_limited"]


@pytest.mark.django_db
def test_a_session_needs_a_csrf_token_to_write_and_a_key_does_not(root: User) -> None:
    _, plaintext = create_key("writer", ["admin"])
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(root)
    assert client.get("/plain").status_code == 200
    assert client.post("/plain").status_code == 403
    assert client.post("/plain", HTTP_X_API_KEY=plaintext).status_code == 200


@pytest.mark.django_db
def test_a_bad_key_is_refused_even_beside_a_good_session(root: User) -> None:
    client = APIClient()
    client.force_login(root)
    response = client.get("/plain", HTTP_AUTHORIZATION="Bearer nobody")
    assert response.data["code"] == "invalid_key"
