"""Tickets: what comes back is what went in, until the time is over or a character changes."""

import asyncio
import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from access.asgi import admit
from access.entrance import get_gate
from access.errors import BellwetherError, InvalidKey, RateLimited, ScopeMissing
from access.gate import MAX_KEY_CHARS, TICKET_PREFIX, take_key
from access.models import ApiKey
from access.scopes import Scope
from access.services import create_key
from access.tickets import ALLOWED, LIFE_S, MAX_NAME_BYTES, make_ticket, read_ticket
from tests.access.doubles import Clock
from tests.access.people import make_person

NOW = 1_800_000_000.0
PATH = "/api/v1/session-ticket"
accounts = st.integers(1, 2**63 - 1)
names = st.text(max_size=150)
scope_sets = st.sets(st.sampled_from(Scope)).map(frozenset)


def at(now: float):
    return lambda: now


@given(accounts, names, scope_sets, st.floats(0, LIFE_S - 1))
def test_a_ticket_says_who_asks_and_for_what_while_it_lives(account, name, scopes, age):
    ticket = make_ticket(account, name, scopes, now=at(NOW))
    facts = read_ticket(ticket, now=at(NOW + age))
    assert facts is not None
    assert (facts.id, facts.owner_id) == (f"user:{account}", account)
    assert facts.scopes == scopes & set(ALLOWED)
    assert name.encode(errors="replace").startswith(facts.name.encode())
    assert facts.name == name or len(name.encode()) > MAX_NAME_BYTES


@given(accounts, names, scope_sets)
def test_a_ticket_fits_where_a_key_does(account, name, scopes):
    ticket = make_ticket(account, name, scopes, now=at(NOW))
    assert len(ticket) <= MAX_KEY_CHARS
    assert take_key(None, ticket) == take_key(f"Bearer {ticket}", None) == ticket


@given(accounts, names, scope_sets, st.floats(LIFE_S, 1e9))
def test_a_ticket_ends(account, name, scopes, age):
    ticket = make_ticket(account, name, scopes, now=at(NOW))
    assert read_ticket(ticket, now=at(NOW + age)) is None


@given(st.data())
def test_one_changed_character_spoils_a_ticket(data):
    ticket = make_ticket(7, "ann", frozenset(Scope), now=at(NOW))
    place = data.draw(st.integers(len(TICKET_PREFIX), len(ticket) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    changed = ticket[:place] + other + ticket[place + 1 :]
    assert (read_ticket(changed, now=at(NOW)) is None) == (changed != ticket)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=120))
def test_what_was_not_made_here_is_no_ticket(text):
    assert read_ticket(TICKET_PREFIX + text, now=at(NOW)) is None


def test_another_secret_or_another_use_of_it_opens_nothing(settings):
    from django.core import signing

    value = make_ticket(7, "ann", frozenset(Scope)).removeprefix(TICKET_PREFIX)
    unsigned = value.rpartition(":")[0]
    assert read_ticket(TICKET_PREFIX + signing.Signer(salt="else").sign(unsigned)) is None
    settings.SECRET_KEY = "another"
    assert read_ticket(TICKET_PREFIX + value) is None


def test_no_ticket_carries_more_than_asking_reading_and_feedback():
    facts = read_ticket(make_ticket(7, "root", frozenset(Scope)))
    assert facts is not None
    assert facts.scopes == {Scope.PREDICT, Scope.FEEDBACK, Scope.READ}
    assert facts.may_pin


@pytest.mark.django_db
def test_no_key_looks_like_a_ticket():
    _, plaintext = create_key("ci", ["read"])
    assert not plaintext.startswith(TICKET_PREFIX)
    assert plaintext.index(".") == 8


def verdicts(ticket: str, scope: Scope) -> list[str]:
    """What both planes say, each by way of its own adapter."""
    found = []
    for ask in (
        lambda: get_gate().admit(None, ticket, scope),
        lambda: asyncio.run(admit([(b"x-api-key", ticket.encode())], scope)),
    ):
        try:
            found.append(ask().id)
        except BellwetherError as error:
            found.append(error.code)
    return found


def test_both_planes_take_a_ticket_without_a_look_at_the_database():
    # This test may not touch the database: a look there would fail it.
    ticket = make_ticket(7, "ann", frozenset({Scope.PREDICT}))
    assert verdicts(ticket, Scope.PREDICT) == ["user:7", "user:7"]
    assert verdicts(ticket, Scope.READ) == ["scope_missing", "scope_missing"]
    assert verdicts(f"{ticket}x", Scope.PREDICT) == ["invalid_key", "invalid_key"]
    old = make_ticket(7, "ann", frozenset({Scope.PREDICT}), now=at(NOW - 1e9))
    assert verdicts(old, Scope.PREDICT) == ["invalid_key", "invalid_key"]


def test_a_bad_ticket_is_told_like_any_bad_key():
    with pytest.raises(InvalidKey, match="unknown, revoked or expired"):
        get_gate().identify(None, f"{TICKET_PREFIX}x")


def test_tickets_of_one_account_share_its_rate(settings, limits_time: Clock):
    settings.BELLWETHER_RATE_LIMIT = "2/hour"
    scopes = frozenset({Scope.READ})
    for minute in (0, 1):
        ticket = make_ticket(7, "ann", scopes, now=lambda minute=minute: NOW + 60 * minute)
        get_gate().admit(None, ticket, Scope.READ)
    with pytest.raises(RateLimited):
        get_gate().admit(None, make_ticket(7, "ann", scopes), Scope.READ)
    get_gate().admit(None, make_ticket(8, "bob", scopes), Scope.READ)


def test_a_ticket_may_not_promote():
    ticket = make_ticket(7, "root", frozenset(Scope))
    with pytest.raises(ScopeMissing):
        get_gate().admit(None, ticket, Scope.PROMOTE)


# The address that makes them.


@pytest.mark.django_db
def test_whoever_is_signed_in_gets_a_ticket_of_their_own(client: Client):
    person = make_person("operator")
    client.force_login(person)
    answer = client.post(PATH)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    facts = read_ticket(answer.json()["ticket"])
    assert facts is not None
    assert (facts.owner_id, facts.name) == (person.pk, "operator")
    assert answer.json()["life_s"] == LIFE_S


@pytest.mark.django_db
def test_a_role_without_predict_gets_none(client: Client):
    client.force_login(make_person("labeller"))
    assert client.post(PATH).json()["error"]["code"] == "scope_missing"


@pytest.mark.django_db
def test_a_session_without_its_csrf_token_gets_none():
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_person("operator"))
    assert client.post(PATH).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["nothing", "a key", "a ticket"])
def test_only_a_session_gets_one(client: Client, kind: str):
    _, key = create_key("ci", ["admin"])
    person = make_person("operator")
    ticket = make_ticket(person.pk, "operator", frozenset({Scope.PREDICT}))
    sent = {"nothing": "", "a key": key, "a ticket": ticket}[kind]
    answer = client.post(PATH, headers={"X-API-Key": sent})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "missing_key"


@pytest.mark.django_db
def test_on_the_management_plane_a_ticket_acts_for_its_account_while_that_is_active():
    person = User.objects.create_user("ann", password="x", is_staff=True)
    person.groups.add(Group.objects.get(name="operator"))
    ticket = make_ticket(person.pk, "ann", frozenset(Scope))
    client = APIClient(headers={"X-API-Key": ticket})
    assert client.get("/api/v1/models").status_code == 200
    assert client.get("/api/v1/keys").json()["error"]["code"] == "scope_missing"
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert client.get("/api/v1/models").json()["error"]["code"] == "invalid_key"
    assert not ApiKey.objects.exists()


def test_the_prefix_is_of_letters_that_need_no_quoting():
    assert re.fullmatch(r"[a-z]+\.", TICKET_PREFIX)
