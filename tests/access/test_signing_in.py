"""Who guesses passwords has to wait, and nobody else."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.access.doubles import Clock

pytestmark = pytest.mark.django_db
SAID = "Too many attempts"


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", password="right", is_staff=True)


def attempt(
    client: Client, name: str = "ann", password: str = "wrong", at: str = "10.0.0.1"
) -> str:
    form = {"username": name, "password": password, "next": "/admin/"}
    answer = client.post("/admin/login/", form, REMOTE_ADDR=at)
    return "in" if answer.status_code == 302 else answer.content.decode()


def test_the_eleventh_attempt_waits_even_with_the_right_password(
    client: Client, ann: User, limits_time: Clock
) -> None:
    for _ in range(10):
        assert SAID not in attempt(client)
    assert SAID in attempt(client, password="right")
    assert re.search(r"Try again in \d+ (minutes|seconds)\.", attempt(client))


def test_the_limit_ends_by_itself(client: Client, ann: User, limits_time: Clock) -> None:
    for _ in range(11):
        attempt(client)
    limits_time.advance(601)
    assert attempt(client, password="right") == "in"


@pytest.mark.parametrize("name", ["ann", "ANN", "Ann"])
def test_writing_a_name_otherwise_does_not_help(
    client: Client, ann: User, limits_time: Clock, name: str
) -> None:
    for _ in range(10):
        attempt(client)
    assert SAID in attempt(client, name=name)


def test_a_stranger_elsewhere_locks_nobody_out(
    client: Client, ann: User, limits_time: Clock
) -> None:
    for _ in range(20):
        attempt(client, at="10.0.0.66")
    assert attempt(client, password="right") == "in"


def test_one_address_cannot_try_many_names(client: Client, ann: User, limits_time: Clock) -> None:
    for number in range(60):
        assert SAID not in attempt(client, name=f"name{number}")
    assert SAID in attempt(client, name="another")
    assert attempt(client, password="right", at="10.0.0.2") == "in"
