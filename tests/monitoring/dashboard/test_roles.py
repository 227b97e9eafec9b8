"""Every page of the dashboard and of the admin, asked by every role."""

from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse

from access.facts import Facts, ForAdministrators
from access.roles import ROLES
from access.scopes import Scope, has_scope
from config.theme import NAVIGATION
from monitoring.dashboard.urls import urlpatterns
from tests.access.people import make_person

pytestmark = pytest.mark.django_db
SOME = {
    "namespace": "team",
    "name": "tiny",
    "number": 1,
    "act": "verify",
    "prediction": UUID(int=7),
    "alert": UUID(int=7),
}
PAGES = [pattern for pattern in urlpatterns if isinstance(pattern, URLPattern)]
LISTS = [
    (f"{model._meta.app_label}_{model._meta.model_name}", view)
    for model, view in admin.site._registry.items()
    if not type(view).__module__.startswith("django_tasks")
]


def address_of(page: URLPattern) -> str:
    names = page.pattern.converters
    return reverse(f"dashboard:{page.name}", kwargs={name: SOME.get(name, 1) for name in names})


def sign_in(client: Client, role: str) -> None:
    """As somebody of a role, or for "nobody" as somebody without one."""
    if role == "nobody":
        client.force_login(User.objects.create_user("new", is_staff=True))
    else:
        client.force_login(make_person(role))


@pytest.mark.parametrize("role", ["nobody", *ROLES])
def test_pages_refuse_exactly_the_roles_without_their_scope(client: Client, role: str) -> None:
    sign_in(client, role)
    held = ROLES.get(role, frozenset())
    wrong = []
    for page in PAGES:
        needed: Scope = page.callback.scope  # type: ignore[attr-defined]
        answer = client.get(address_of(page))
        is_refused = answer.status_code == 403
        if is_refused == has_scope(held, needed):
            wrong.append((page.name, answer.status_code))
        if is_refused and f"needs the scope {needed}" not in answer.content.decode():
            wrong.append((page.name, "does not say what is missing"))
    assert wrong == []


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    for page in PAGES:
        answer = client.get(address_of(page))
        assert answer.status_code == 302, page.name
        assert answer["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("role", ["nobody", *ROLES])
def test_a_list_is_for_readers_or_for_administrators(client: Client, role: str) -> None:
    sign_in(client, role)
    wrong = []
    for name, view in LISTS:
        assert isinstance(view, Facts | ForAdministrators)
        needed = Scope.READ if isinstance(view, Facts) else Scope.ADMIN
        status = client.get(reverse(f"admin:{name}_changelist")).status_code
        if status != (200 if has_scope(ROLES.get(role, frozenset()), needed) else 403):
            wrong.append((name, status))
    assert wrong == []


@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_nobody_but_an_administrator_fills_in_a_form_of_the_admin(
    client: Client, role: str
) -> None:
    sign_in(client, role)
    for name, _ in LISTS:
        assert client.get(reverse(f"admin:{name}_add")).status_code == 403, name


@pytest.mark.parametrize("role", ROLES)
def test_every_link_of_the_navigation_that_a_role_sees_opens(client: Client, role: str) -> None:
    sign_in(client, role)
    page = client.get("/admin/").content.decode()
    for group in NAVIGATION:
        for item in group["items"]:
            link = str(item["link"])
            is_seen = f'href="{link}"' in page
            assert is_seen == (client.get(link).status_code == 200), (role, link)
