"""What each role sees of the navigation, and what it may open, in a real browser."""

import pytest
from django.urls import URLPattern

from access.roles import ROLES
from access.scopes import has_scope
from monitoring.dashboard.urls import urlpatterns
from tests.browser.world import MODEL
from tests.monitoring.dashboard.test_roles import SOME

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WATCH = {"Home", "Alerts", "Predictions"}
SEES = {
    "viewer": WATCH,
    "labeller": {*WATCH, "Labelling"},
    "operator": {*WATCH, "Labelling", "Playground"},
    "admin": {
        *WATCH,
        "Labelling",
        "Playground",
        "API keys",
        "People",
        "Roles",
        "Settings in force",
    },
}
EVERY = set.union(*SEES.values())


def links(page) -> dict[str, str]:
    """The navigation's links by their titles; a badge beside a title is not part of it."""
    found = page.locator("#nav-sidebar-apps a, #nav-sidebar a, nav a").evaluate_all(
        """links => links.map(link => [link.textContent, link.getAttribute("href")])"""
    )
    return {text.strip(): href for text, href in found}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_what_it_may_do_and_all_of_it_opens(page_as, role):
    page = page_as(role)
    page.goto("/admin/")
    seen = {
        title
        for title in EVERY
        if any(title in text.split("\n")[0] or title in text for text in links(page))
    }
    assert seen == SEES[role]
    hrefs = {href for href in links(page).values() if href and href.startswith("/admin/")}
    for href in sorted(hrefs - {"/admin/logout/"}):
        assert page.request.get(href).status == 200, href


@pytest.mark.parametrize("role", ROLES)
def test_addresses_of_a_higher_role_answer_403(page_as, role):
    page = page_as(role)
    namespace, _, name = MODEL.partition("/")
    some = {**SOME, "namespace": namespace, "name": name, "number": 2}
    wrong = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        needed = pattern.callback.scope
        if has_scope(ROLES[role], needed):
            continue
        path = "/admin/" + str(pattern.pattern)
        for field, converter in pattern.pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower()
            kind = {"string": "str"}.get(kind, kind)
            path = path.replace(f"<{kind}:{field}>", str(some.get(field, 1)))
        status = page.request.get(path).status
        if status not in (403, 405):
            wrong.append((path, status))
    assert wrong == []


@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_people_keys_and_roles_are_for_administrators(page_as, role):
    page = page_as(role)
    for path in ("auth/user", "auth/group", "access/apikey", "auth/user/1/change", "auth/user/add"):
        assert page.request.get(f"/admin/{path}/").status == 403


def test_an_administrator_gives_somebody_a_role(page_as, world):
    page = page_as("admin")
    page.goto("/admin/auth/user/add/")
    page.fill("[name=username]", "newcomer")
    page.fill("[name=password1]", "a long enough phrase")
    page.fill("[name=password2]", "a long enough phrase")
    page.select_option("[name=role]", label="labeller")
    page.click("[name=_save]")
    page.wait_for_load_state()
    page.goto("/admin/auth/user/")
    row = page.locator("#result_list tbody", has_text="newcomer")
    assert "labeller" in row.inner_text()
    assert page.problems == []


def test_a_key_is_made_shown_once_and_works(page_as, world):
    page = page_as("admin")
    page.goto("/admin/access/apikey/add/")
    page.fill("[name=name]", "from the browser")
    page.check("[name=scopes][value=read]")
    page.click("[name=_save]")
    page.wait_for_load_state()
    told = page.inner_text("body").split("The key of from the browser: ")[1]
    key = told.split()[0]
    answer = page.request.get("/api/v1/models", headers={"X-API-Key": key})
    assert answer.status == 200
    page.goto("/admin/access/apikey/")
    assert key not in page.content()
    assert page.problems == []
