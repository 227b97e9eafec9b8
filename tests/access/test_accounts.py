"""People and roles in the admin: given by administrators, never beyond what the giver has."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from access.persons import scopes_of
from access.roles import ROLES, permission_of
from access.scopes import Scope
from tests.access.people import make_person

pytestmark = pytest.mark.django_db

PEOPLE, ADD = reverse("admin:auth_user_changelist"), reverse("admin:auth_user_add")
PASSWORD = "a long enough phrase"


def page_of(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def role_id(name: str) -> int:
    return Group.objects.get(name=name).pk


def as_(client: Client, role: str) -> Client:
    client.force_login(make_person(role))
    return client


def add(client: Client, **fields: Any) -> Any:
    form = {
        "username": "ann",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "usable_password": "true",
        "role": "",
        "is_staff": "on",
        **fields,
    }
    return client.post(ADD, form)


def change(client: Client, user: User, **fields: Any) -> Any:
    form = {"username": user.username, "is_active": "on", "is_staff": "on", **fields}
    return client.post(page_of(user), form)


@pytest.mark.parametrize("role", ROLES)
def test_an_administrator_makes_people_of_each_role(client: Client, role: str) -> None:
    assert add(as_(client, "admin"), role=role_id(role)).status_code == 302
    ann = User.objects.get(username="ann")
    assert scopes_of(ann) == ROLES[role]
    assert ann.is_staff
    assert not ann.is_superuser


def test_a_made_person_can_sign_in(client: Client) -> None:
    add(as_(client, "admin"), role=role_id("viewer"))
    client.logout()
    form = {"username": "ann", "password": PASSWORD, "next": "/admin/"}
    assert client.post("/admin/login/", form).status_code == 302


def test_the_form_offers_to_sign_in_and_explains_the_roles(client: Client) -> None:
    page = as_(client, "admin").get(ADD).content.decode()
    assert "Without it the account cannot sign in" in page
    assert "labeller: also says what was right" in page


@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_nobody_else_sees_people_or_roles(client: Client, role: str) -> None:
    as_(client, role)
    for path in (PEOPLE, ADD, page_of(User.objects.get()), reverse("admin:auth_group_changelist")):
        assert client.get(path).status_code == 403


def test_a_role_is_changed_and_taken_away(client: Client) -> None:
    as_(client, "admin")
    ann = User.objects.create_user("ann", is_staff=True)
    change(client, ann, role=role_id("operator"))
    assert scopes_of(User.objects.get(pk=ann.pk)) == ROLES["operator"]
    change(client, ann, role="")
    assert scopes_of(User.objects.get(pk=ann.pk)) == frozenset()


def test_saving_an_account_leaves_several_roles_as_they_are(client: Client) -> None:
    as_(client, "admin")
    ann = make_person("labeller")
    extra = Group.objects.create(name="auditors")
    ann.groups.add(extra)
    first = ann.groups.order_by("name").first()
    assert first is not None
    change(client, ann, role=first.pk, email="ann@example.org")
    assert set(ann.groups.values_list("name", flat=True)) == {"auditors", "labeller"}


def test_the_list_shows_roles_without_a_query_for_each(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    as_(client, "admin")
    for number in range(20):
        User.objects.create_user(f"p{number}").groups.add(Group.objects.get(name="viewer"))
    with django_assert_max_num_queries(15):
        page = client.get(PEOPLE).content.decode()
    assert "viewer" in page


# What nobody can do.


def test_nobody_lifts_themselves(client: Client) -> None:
    person = make_person("admin")
    client.force_login(person)
    form = {"role": role_id("viewer"), "is_superuser": "on", "groups": [role_id("operator")]}
    change(client, person, **form, user_permissions=[1, 2, 3], email="me@example.org")
    after = User.objects.get(pk=person.pk)
    assert after.email == "me@example.org"
    assert not after.is_superuser
    assert list(after.groups.values_list("name", flat=True)) == ["admin"]
    assert not after.user_permissions.exists()


def test_nobody_locks_themselves_out(client: Client) -> None:
    person = make_person("admin")
    client.force_login(person)
    client.post(page_of(person), {"username": "admin"})
    client.post(reverse("admin:auth_user_delete", args=[person.pk]), {"post": "yes"})
    after = User.objects.get(pk=person.pk)
    assert after.is_active
    assert after.is_staff


def test_only_superusers_make_superusers(client: Client) -> None:
    as_(client, "admin")
    ann = User.objects.create_user("ann", is_staff=True)
    change(client, ann, is_superuser="on")
    assert not User.objects.get(pk=ann.pk).is_superuser
    client.force_login(User.objects.create_superuser("root"))
    change(client, ann, is_superuser="on")
    assert User.objects.get(pk=ann.pk).is_superuser


def test_only_superusers_touch_superusers(client: Client) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    as_(client, "admin")
    assert change(client, root, email="x@example.org").status_code == 403
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    form = {"password1": "another phrase 7", "password2": "another phrase 7"}
    assert client.post(password, form).status_code == 403
    delete = reverse("admin:auth_user_delete", args=[root.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"}
    client.post(PEOPLE, chosen)
    after = User.objects.get(pk=root.pk)
    assert after.check_password(PASSWORD)
    assert after.email == ""


def test_a_role_shows_and_takes_scopes_only(client: Client) -> None:
    as_(client, "admin")
    viewer = Group.objects.get(name="viewer")
    page = client.get(reverse("admin:auth_group_change", args=[viewer.pk])).content.decode()
    assert "promote: route versions" in page
    assert "Can add log entry" not in page
    foreign = Permission.objects.get(codename="delete_user")
    wanted = Permission.objects.get(codename=permission_of(Scope.FEEDBACK))
    path = reverse("admin:auth_group_change", args=[viewer.pk])
    client.post(path, {"name": "viewer", "permissions": [foreign.pk, wanted.pk]})
    assert not viewer.permissions.filter(pk=foreign.pk).exists()
    client.post(path, {"name": "viewer", "permissions": [wanted.pk]})
    assert list(viewer.permissions.all()) == [wanted]
