"""The frame of every page: who gets in, what a page may do, and what it may reach."""

import pytest

from tests.browser.conftest import PHONE, watched
from tests.browser.pages import PAGES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LISTS = (
    "/admin/registry/version/",
    "/admin/monitoring/feedback/",
    "/admin/registry/operation/import",
    "/admin/registry/operation/upload",
    "/admin/auth/user/",
    "/admin/auth/user/add/",
    "/admin/auth/group/",
    "/admin/access/apikey/add/",
    "/admin/password_change/",
)


def test_the_first_page_opens(page_as):
    page = page_as("viewer")
    page.goto("/admin/")
    assert page.locator("main.bw").count() == 1
    assert page.problems == []


def test_a_page_for_administrators_refuses_a_viewer_and_says_why(page_as):
    page = page_as("viewer")
    assert page.goto("/admin/settings/").status == 403
    told = page.inner_text("main")
    assert "needs the scope admin" in told
    assert "with the role viewer" in told
    page.click("text=Go to the first page")
    page.wait_for_url("**/admin/")


def test_no_page_does_what_its_policy_forbids(world, page_as):
    """A browser writes each violation to its console."""
    page = page_as("admin")
    found = {}
    paths = [each.address(world) for each in PAGES if each.name != "not-found"]
    for path in [*paths, *LISTS, "/docs"]:
        page.problems.clear()
        answer = page.goto(path)
        page.wait_for_load_state("networkidle")
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        if page.problems:
            found[path] = list(page.problems)
    assert found == {}


def test_the_policy_is_in_force(page_as):
    page = page_as("viewer")
    page.goto("/admin/")
    ran = page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ranInline = true";
            document.body.append(script);
            return window.ranInline === true;
        }"""
    )
    assert not ran
    assert any("Content Security Policy" in problem for problem in page.problems)


def test_the_api_page_tries_a_call_with_a_key(world, page_as):
    page = page_as("viewer")
    page.goto("/docs")
    page.wait_for_selector(".opblock-summary-path")
    assert page.problems == []
    assert page.locator("link[rel=icon]").get_attribute("href") == "/static/dashboard/favicon.svg"


def test_too_many_attempts_to_sign_in_are_told(world, browser):
    context = browser.new_context(base_url=world.url, viewport=PHONE)
    page = watched(context.new_page(), world.url)
    for _ in range(11):
        page.goto("/admin/login/?next=/admin/")
        page.fill("input[name=username]", "somebody")
        page.fill("input[name=password]", "wrong")
        page.click("[type=submit]")
        page.wait_for_load_state()
    assert "Too many attempts to sign in" in page.inner_text("body")
    assert page.problems == []
    context.close()
