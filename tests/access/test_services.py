"""Keys as rows: making, loading, revoking."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import override_settings
from django.utils import timezone

from access.asgi import admit
from access.entrance import get_gate
from access.errors import InvalidKey, InvalidKeyFields, KeyNotFound
from access.gate import ANONYMOUS
from access.keyring import digest_of
from access.models import ApiKey
from access.queries import load_usable_keys
from access.scopes import Scope
from access.services import create_key, delete_keys, revoke_key, save_key


def is_let_in(plaintext: str) -> bool:
    try:
        get_gate().admit(f"Bearer {plaintext}", None, Scope.PREDICT)
    except InvalidKey:
        return False
    return True


@pytest.mark.django_db
def test_a_new_key_works_at_once_and_is_nowhere_in_the_database() -> None:
    for _ in range(3):
        key, plaintext = create_key("ci", ["predict"])
        assert is_let_in(plaintext)
        row = ApiKey.objects.filter(pk=key.pk).values().get()
        assert not any(plaintext in str(value) for value in row.values())
        assert plaintext.startswith(f"{key.prefix}.")


@pytest.mark.django_db
def test_a_loaded_key_carries_its_facts(root: User) -> None:
    expires_at = timezone.now() + timedelta(days=1)
    key, plaintext = create_key(
        " ci ", ["read", "predict"], owner=root, rate="5/minute", expires_at=expires_at
    )
    facts = load_usable_keys()[digest_of(plaintext)]
    assert (facts.id, facts.name) == (key.prefix, "ci")
    assert facts.scopes == {Scope.PREDICT, Scope.READ}
    assert (facts.rate, facts.owner_id) == ("5/minute", root.pk)
    assert facts.expires_at == pytest.approx(expires_at.timestamp())


@pytest.mark.django_db
def test_keys_of_the_librarys_own_manager_are_understood() -> None:
    key, plaintext = ApiKey.objects.create_key(name="by hand", scopes=["predict"])
    assert load_usable_keys()[digest_of(plaintext)].id == key.prefix


@pytest.mark.django_db
def test_only_usable_keys_are_loaded(root: User) -> None:
    revoked, _ = create_key("revoked", ["predict"])
    revoke_key(revoked.prefix)
    expired, _ = create_key("expired", ["predict"])
    ApiKey.objects.filter(pk=expired.pk).update(expiry_date=timezone.now() - timedelta(seconds=1))
    create_key("of a closed account", ["predict"], owner=root)
    User.objects.filter(pk=root.pk).update(is_active=False)
    usable, _ = create_key("usable", ["predict"])
    assert {facts.id for facts in load_usable_keys().values()} == {usable.prefix}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "spoilt",
    [
        {"hashed_key": "sha512$$not hex"},
        {"hashed_key": "sha512$$00"},
        {"hashed_key": ""},
        {"scopes": 7},
        {"scopes": "predict"},
        {"scopes": [["predict"], 7, None]},
        {"rate": "often"},
    ],
)
def test_a_row_spoilt_by_hand_harms_no_other_key(spoilt: dict[str, object]) -> None:
    bad, _ = create_key("bad", ["predict"])
    ApiKey.objects.filter(pk=bad.pk).update(**spoilt)
    good, _ = create_key("good", ["predict"])
    scopes = {facts.id: facts.scopes for facts in load_usable_keys().values()}
    assert scopes[good.prefix] == {Scope.PREDICT}
    assert scopes.get(bad.prefix, set()) in (set(), {Scope.PREDICT} if "rate" in spoilt else set())


@pytest.mark.django_db
def test_a_scope_that_this_release_does_not_know_grants_nothing() -> None:
    _, plaintext = ApiKey.objects.create_key(name="from later", scopes=["predict", "dance"])
    assert load_usable_keys()[digest_of(plaintext)].scopes == {Scope.PREDICT}


@pytest.mark.django_db
def test_loading_is_one_query_however_many_keys(
    root: User, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(5):
        create_key(f"key {number}", ["predict"], owner=root)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert len(load_usable_keys()) == 5


@pytest.mark.django_db
def test_a_revoked_key_is_refused_at_once_and_for_ever() -> None:
    key, plaintext = create_key("ci", ["predict"])
    assert is_let_in(plaintext)
    revoke_key(key.prefix)
    assert not is_let_in(plaintext)
    revoke_key(key.prefix)
    row = ApiKey.objects.get(pk=key.pk)
    row.revoked = False
    with pytest.raises(ValidationError, match="cannot be undone"):
        save_key(row)


@pytest.mark.django_db
def test_a_deleted_key_is_refused_at_once() -> None:
    key, plaintext = create_key("ci", ["predict"])
    assert is_let_in(plaintext)
    delete_keys(ApiKey.objects.filter(pk=key.pk))
    assert not is_let_in(plaintext)


@pytest.mark.django_db
def test_revoking_what_is_not_there_says_so() -> None:
    with pytest.raises(KeyNotFound, match="'nosuchke'"):
        revoke_key("nosuchkey" * 100)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"rate": "often"}, "rate"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expires_at"),
        ({"expires_at": datetime(2999, 1, 1)}, "expires_at"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_its_field(
    changes: dict[str, object], field: str
) -> None:
    wanted: dict[str, object] = {"name": "ci", "scopes": ["predict"], **changes}
    with pytest.raises(InvalidKeyFields, match=f"^{field}: ") as caught:
        create_key(**wanted)  # type: ignore[arg-type]
    assert caught.value.details == {"field": field}
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"scopes": []}, {"scopes": "predict"}, {"rate": "often"}])
def test_rows_are_validated_like_requests(changes: dict[str, object]) -> None:
    key = ApiKey(name="ci", **{"scopes": ["predict"], **changes})
    ApiKey.objects.assign_key(key)
    with pytest.raises(ValidationError) as caught:
        key.full_clean()
    assert set(caught.value.message_dict) == set(changes)


@pytest.mark.django_db(transaction=True)
def test_the_asgi_plane_reads_keys_on_a_thread_of_its_own() -> None:
    import asyncio

    key, plaintext = create_key("ci", ["predict"])
    headers = [(b"authorization", f"Bearer {plaintext}".encode())]
    assert asyncio.run(admit(headers, Scope.PREDICT)).id == key.prefix
    revoke_key(key.prefix)
    with pytest.raises(InvalidKey):
        asyncio.run(admit(headers, Scope.PREDICT))


def test_settings_make_the_gate() -> None:
    with override_settings(BELLWETHER_AUTH=False):
        assert get_gate().admit(None, None, Scope.ADMIN) is ANONYMOUS
    with override_settings(BELLWETHER_AUTH=True):
        assert not get_gate().is_open
    with override_settings(BELLWETHER_RATE_LIMIT="now and then"), pytest.raises(InvalidKeyFields):
        get_gate()
    assert get_gate() is get_gate()
