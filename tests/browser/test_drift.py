"""Drift on request in a real browser: two windows, detectors, texts, and a link to the same."""

import pytest

from tests.browser.conftest import PHONE
from tests.browser.test_admin import shot
from tests.browser.world import MODEL

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PAGE = f"/admin/models/{MODEL}/drift/"
LOOKS = [(False, None), (True, None), (False, PHONE), (True, PHONE)]
IDS = ["light", "dark", "phone-light", "phone-dark"]


@pytest.mark.parametrize(("dark", "viewport"), LOOKS, ids=IDS)
def test_the_page_reads_well(page_as, dark, viewport, request):
    page = page_as("viewer", dark=dark, **({"viewport": viewport} if viewport else {}))
    page.goto(f"{PAGE}?by=last&last=300&explain=yes")
    page.get_by_role("heading", name="What differs most").wait_for()
    page.locator("#result").scroll_into_view_if_needed()
    shot(page, f"drift-{request.node.callspec.id}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    assert page.problems == []


def test_the_newest_texts_are_told_from_the_reference(page_as):
    page = page_as("viewer")
    page.goto(PAGE)
    page.get_by_label("the newest predictions").check()
    page.get_by_label("How many").fill("300")
    page.get_by_label("name the texts and words").check()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="What each detector found").wait_for()
    assert "last=300" in page.url
    assert "against_from" not in page.url
    assert page.locator("#result").get_by_text("Drift of").count() == 1
    assert page.locator(".drift-texts li").count() == 10
    assert page.problems == []


def test_two_windows_are_compared_by_chosen_detectors(page_as):
    page = page_as("viewer")
    page.goto(PAGE)
    page.get_by_label("another time (UTC)").check()
    start, end = (page.input_value(f"#d-{name}") for name in ("from", "to"))
    page.fill("#d-against-from", start)
    page.fill("#d-against-to", end)
    page.get_by_text("Detectors: those ticked").click()
    page.get_by_label("energy").check()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="What each detector found").wait_for()
    table = page.locator(".bw-scroll[aria-label='What each detector found']")
    # The same window on both sides: nothing differs.
    assert table.get_by_text("energy").count() == 1
    assert table.locator(".bw-badge--bad").count() == 0
    assert page.input_value("#d-against-from") == start
    first = table.inner_text()
    page.get_by_role("link", name="Link to just this comparison").click()
    page.get_by_role("heading", name="What each detector found").wait_for()
    assert page.get_by_role("radio", name="another time (UTC)").is_checked()
    assert first.split("Took")[0] == table.inner_text().split("Took")[0]
    assert page.problems == []


def test_a_bad_time_is_told_at_its_field(page_as):
    page = page_as("viewer")
    assert page.goto(f"{PAGE}?from=2026-01-01&to=2026-12-01").status == 422
    assert page.get_by_role("alert").inner_text().startswith("A window of drift may be at most")
