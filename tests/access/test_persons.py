from itertools import pairwise

import pytest
from django.contrib.auth.models import Group, User

from access.persons import make_roles, scopes_of
from access.roles import ROLES
from access.scopes import Scope
from tests.access.people import make_person

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gives_its_scopes(role: str) -> None:
    assert scopes_of(make_person(role)) == ROLES[role]


def test_each_role_may_do_all_that_the_one_before_it_may() -> None:
    scopes = list(ROLES.values())
    assert all(less < more for less, more in pairwise(scopes))


def test_whoever_has_no_role_has_no_scope() -> None:
    assert scopes_of(User.objects.create_user("new", is_staff=True)) == frozenset()


def test_a_superuser_has_every_scope() -> None:
    assert scopes_of(User.objects.create_superuser("root")) == frozenset(Scope)


@pytest.mark.parametrize("field", ["is_staff", "is_active"])
def test_an_account_that_may_not_sign_in_has_no_scope(field: str) -> None:
    user = make_person("admin")
    setattr(user, field, False)
    assert scopes_of(user) == frozenset()


def test_what_an_administrator_made_of_a_role_stays() -> None:
    Group.objects.get(name="viewer").permissions.clear()
    make_roles()
    assert scopes_of(make_person("viewer")) == frozenset()


def test_a_role_that_was_deleted_is_made_again() -> None:
    Group.objects.get(name="labeller").delete()
    make_roles()
    assert scopes_of(make_person("labeller")) == ROLES["labeller"]
