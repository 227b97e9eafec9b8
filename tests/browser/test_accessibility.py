"""Every page by the rules of WCAG 2 A and AA, light and dark, and within a phone's width."""

import pytest

from tests.browser.conftest import PHONE, WIDE
from tests.browser.pages import PAGES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
SERIOUS = ("serious", "critical")
BUSY_MS = 20_000


def settle(page) -> None:
    """Wait until what the page asks for has come; pages that go on asking never fall quiet."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(700)
    page.wait_for_function("!document.querySelector('main [aria-busy=true]')", timeout=BUSY_MS)


@pytest.fixture(scope="module")
def views(world, browser, states):
    """One page each, light and dark, signed in as an administrator."""
    from tests.browser.conftest import new_context, sign_in, watched

    made = {}
    for name, dark in (("light", False), ("dark", True)):
        context = new_context(browser, world.url, dark=dark, viewport=WIDE)
        made[name] = watched(context.new_page(), world.url)
        sign_in(made[name], "admin")
    yield made
    for page in made.values():
        page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("wanted", PAGES, ids=lambda page: page.name)
def test_no_serious_violation_and_no_sideways_scrolling(world, views, wanted, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = views[theme]
    page.problems.clear()
    page.goto(wanted.address(world))
    settle(page)
    found = Axe().run(page, options=RULES).response["violations"]
    serious = [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in SERIOUS
    ]
    assert serious == []
    if wanted.name != "not-found":
        assert page.problems == []
    assert sideways(page) <= 0


def sideways(page) -> int:
    """How many pixels the page is wider than a phone that it is looked at with."""
    page.set_viewport_size(PHONE)
    # What is drawn by its width is drawn anew.
    page.wait_for_timeout(200)
    over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    page.set_viewport_size(WIDE)
    return over
