"""The home page in a browser: what it shows of a service with a past, and how it stays fresh."""

import re

import pytest

from tests.browser.conftest import PHONE
from tests.browser.world import MODEL

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROW = ".bw-home__table tbody tr"
WAIT_MS = 20_000


def test_the_first_page_shows_what_serves_and_how_well(page_as, world):
    page = page_as("viewer")
    page.goto("/admin/")
    row = page.locator(ROW, has_text=MODEL)
    text = row.inner_text()
    assert "version 1 live" in text
    assert re.search(r"\d+(\.\d+)? ms p95", text)
    assert "delayed labels" in text
    assert "baseline 0." in text
    assert "DRIFT" in text
    assert "firing" in text
    assert row.locator("svg[role=img]").get_attribute("aria-label").startswith("Predictions")
    assert page.locator("nav, aside, #nav-sidebar").get_by_text("firing").count() >= 1
    assert page.problems == []


def test_every_vital_sign_of_a_serving_process_is_known(page_as):
    page = page_as("viewer")
    page.goto("/admin/health/")
    text = page.inner_text("main.bw")
    assert "not known here" not in text
    for title in ("Queue", "Recorder", "Journal", "Worker", "Database", "Disk", "Memory"):
        assert title in text
    assert "1 ready of 1" in text
    assert page.problems == []


def test_a_model_leads_to_its_page_and_its_alerts(page_as):
    page = page_as("viewer")
    page.goto("/admin/")
    page.locator(ROW).get_by_role("link", name=MODEL).press("Enter")
    page.wait_for_url(f"**/admin/models/{MODEL}/")
    page.goto("/admin/")
    page.locator(ROW).get_by_role("link", name=re.compile(r"\d+ (info|warning|critical)")).click()
    page.wait_for_url("**/admin/alerts/?model=*")
    assert page.problems == []


def test_the_page_reads_itself_anew_and_the_focus_stays(page_as, world):
    page = page_as("viewer")
    page.clock.install()
    page.goto("/admin/")
    link = page.locator(ROW).get_by_role("link", name=MODEL)
    link.focus()
    before = page.locator("#home-figures").inner_text()
    with world.client() as client:
        path = f"/api/v1/models/{MODEL}/predict"
        client.post(path, json={"inputs": "a film to remember"}).raise_for_status()
    with page.expect_response("**/admin/", timeout=WAIT_MS):
        page.clock.run_for(15_000)
    page.wait_for_function(
        "before => document.getElementById('home-figures').innerText !== before", arg=before
    )
    assert page.evaluate("document.activeElement.textContent") == MODEL
    assert page.problems == []


def test_whoever_reads_may_pause_it(page_as):
    page = page_as("viewer")
    asked = []
    page.clock.install()
    page.goto("/admin/")
    page.on(
        "request",
        lambda request: asked.append(request.url) if request.url.endswith("/admin/") else None,
    )
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(60_000)
    assert "Paused" in page.inner_text("#home-refresh")
    assert asked == []
    with page.expect_response("**/admin/", timeout=WAIT_MS):
        page.get_by_role("button", name="Go on").click()


def test_a_server_that_does_not_answer_is_told(page_as):
    page = page_as("viewer")
    page.clock.install()
    page.goto("/admin/")
    page.route("**/admin/", lambda route: route.abort())
    page.clock.run_for(16_000)
    page.wait_for_selector("#home-refresh:has-text('The server does not answer')")
    assert page.locator(ROW, has_text=MODEL).count() == 1


def test_without_scripts_everything_is_there(browser, world, states, page_as):
    page_as("viewer")
    context = browser.new_context(
        base_url=world.url, java_script_enabled=False, storage_state=states["viewer"]
    )
    page = context.new_page()
    page.goto("/admin/")
    assert page.locator(ROW, has_text=MODEL).count() == 1
    assert "As of" in page.inner_text("#home-refresh")
    assert not page.get_by_role("button", name="Pause").is_visible()
    context.close()


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_cards_within_its_width(page_as, is_dark):
    page = page_as("viewer", viewport=PHONE, dark=is_dark)
    page.goto("/admin/")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator(ROW).first.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert page.locator("#home-models .bw-scroll").evaluate("e => e.scrollWidth <= e.clientWidth")
    assert page.problems == []


@pytest.mark.parametrize(("role", "is_offered"), [("viewer", False), ("operator", True)])
def test_acts_are_offered_to_those_who_may(page_as, role, is_offered):
    page = page_as(role)
    page.goto("/admin/")
    acts = page.locator(ROW).get_by_role("link", name="Let another version answer")
    assert (acts.count() > 0) is is_offered
