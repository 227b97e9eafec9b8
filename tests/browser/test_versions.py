"""Versions with the mouse and the keyboard: promoted, tried as a canary, rolled back, compared."""

import os
import re
from pathlib import Path

import pytest

from tests.browser.conftest import PHONE
from tests.e2e.server import wait_until
from tests.inference.tiny import save_tiny
from tests.registry.builders import write_json

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MODEL = "team/moved"
COMPARE = f"/admin/models/{MODEL}/versions/compare/?before=1&after=3"
VERSIONS, DEPLOYMENT = f"/admin/models/{MODEL}/versions/", f"/admin/models/{MODEL}/deployment/"
SETTLED_MS = 60_000
# Golden inputs that no model answers: such a version never gets a request.
IMPOSSIBLE = {"cases": [{"input": "fine", "label": "POSITIVE", "scores": {"POSITIVE": 0.999999}}]}


@pytest.fixture(scope="module")
def moved(world, tmp_path_factory):
    """A model of its own, so that no other page's routes move: two versions, and a bad third."""
    root = tmp_path_factory.mktemp("moved")
    for number in (1, 2):
        folder = save_tiny(root / f"v{number}", seed=number)
        world.server.manage("register", str(folder), MODEL, "--note", f"the seed {number}")
    bad = save_tiny(root / "v3", seed=3)
    write_json(bad / "golden.json", IMPOSSIBLE)
    world.server.manage("register", str(bad), MODEL, "--note", "answers otherwise than it says")
    world.server.manage("promote", MODEL, "1")
    with world.client() as client:
        wait_until(lambda: answering(client) == 1, 60)
    return world


def answering(client) -> int | None:
    answer = client.post(f"/api/v1/models/{MODEL}/predict", json={"inputs": "a film"})
    return answer.json()["version"] if answer.status_code == 200 else None


def shot(page, name: str) -> None:
    """Keep a picture for people to look at, where one is wanted."""
    if folder := os.environ.get("BELLWETHER_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def route(client) -> list[tuple[int, str, int]]:
    found = client.get(f"/api/v1/models/{MODEL}/routes").json()["routes"]
    return [(each["version"], each["mode"], each["weight"]) for each in found]


def open_act(page, number: int, act: str) -> None:
    row = page.locator("table.bw-versions tbody tr", has_text=f"version {number}").first
    if act != "Promote":
        row.locator("summary").press("Enter")
    row.get_by_role("link", name=f"{act} version {number}").click()


def wait_settled(page) -> None:
    page.wait_for_selector("#state:has-text('settled')", timeout=SETTLED_MS)


def test_promote_watch_canary_and_roll_back(moved, page_as):
    page = page_as("operator")
    page.goto(VERSIONS)
    shot(page, "versions")
    open_act(page, 2, "Promote")
    assert "stable 100 %" in page.inner_text("table.bw-routes")
    page.fill("[name=reason]", "it is better")
    shot(page, "versions-promote")
    page.get_by_role("button", name="Promote version 2").click()
    page.wait_for_url(f"**{DEPLOYMENT}")
    assert "Version 2 is promoted." in page.inner_text("body")
    wait_settled(page)
    shown = page.inner_text("#replicas")
    assert "answers" in shown
    lasted = [float(each) for each in re.findall(r"([\d.]+) s of preparing", shown)]
    assert lasted
    assert max(lasted) < 600
    shot(page, "deployment")
    with moved.client() as client:
        assert answering(client) == 2
        page.click("text=In the audit log")
        assert "it is better" in page.inner_text("body")

        page.goto(VERSIONS)
        open_act(page, 1, "Canary")
        page.fill("[name=percent]", "10")
        page.get_by_role("button", name="Show what changes").click()
        assert "canary 10 %" in page.inner_text("table.bw-routes")
        shot(page, "versions-canary")
        page.get_by_role("button", name="Let version 1 answer a part").click()
        wait_settled(page)
        assert route(client) == [(2, "live", 90), (1, "live", 10)]

        page.goto(f"/admin/models/{MODEL}/roll-back/")
        page.get_by_role("button", name="Roll back to version 1").click()
        wait_settled(page)
        assert route(client) == [(1, "live", 100)]
        assert answering(client) == 1
    assert page.problems == []


def test_a_version_that_fails_says_why_and_is_rolled_back(moved, page_as):
    page = page_as("operator")
    page.goto(VERSIONS)
    open_act(page, 3, "Promote")
    page.get_by_role("button", name="Promote version 3").click()
    page.wait_for_selector("#state:has-text('failed')", timeout=SETTLED_MS)
    assert "golden" in page.inner_text("#told")
    assert page.locator("#remedies").is_visible()
    shot(page, "deployment-failed")
    with moved.client() as client:
        assert answering(client) == 1
        page.get_by_role("button", name="Try again").click()
        page.wait_for_selector("#state:has-text('failed')", timeout=SETTLED_MS)
        page.get_by_role("link", name="Roll back", exact=True).click()
        page.get_by_role("button", name="Roll back to version 1").click()
        wait_settled(page)
        assert route(client) == [(1, "live", 100)]
    assert page.problems == []


def test_the_editor_sums_as_one_types(moved, page_as):
    page = page_as("operator")
    page.goto(f"/admin/models/{MODEL}/routes/")
    page.fill("[name=weight-1]", "80")
    assert page.inner_text("#sum") == "80"
    page.select_option("[name=mode-2]", "live")
    page.fill("[name=weight-2]", "20")
    assert page.inner_text("#sum") == "100"
    shot(page, "routes")
    page.get_by_role("button", name="Show what changes").click()
    assert "canary 20 %" in page.inner_text("table.bw-routes")
    assert page.problems == []


def test_two_versions_are_compared(moved, page_as):
    page = page_as("viewer")
    page.goto(VERSIONS)
    page.select_option("#before", "1")
    page.select_option("#after", "3")
    page.get_by_role("button", name="Compare").click()
    assert "golden.json" in page.inner_text("main")
    assert "Too few labels" in page.inner_text("main")
    shot(page, "compare")
    assert page.problems == []


def test_a_comparison_with_labels_shows_them(world, page_as):
    page = page_as("viewer")
    page.goto("/admin/models/starter/sentiment/versions/compare/?before=1&after=2")
    assert "The weights are the same" in page.inner_text("main")
    shot(page, "compare-starter")
    assert page.problems == []


def test_a_viewer_sees_no_buttons_and_is_refused(moved, page_as):
    page = page_as("viewer")
    page.goto(VERSIONS)
    assert page.get_by_role("link", name="Promote").count() == 0
    assert page.get_by_role("link", name="Roll back").count() == 0
    assert page.problems == []
    assert page.goto(f"{VERSIONS}2/promote/").status == 403


def test_the_digest_is_copied(moved, page_as):
    page = page_as("viewer")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(VERSIONS)
    button = page.locator(".bw-copy").first
    button.press("Enter")
    page.wait_for_selector(".bw-copy[data-copied]")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == button.get_attribute("data-copy")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        VERSIONS,
        DEPLOYMENT,
        f"{VERSIONS}2/canary/?percent=10",
        f"{VERSIONS}compare/?before=1&after=3",
    ],
    ids=["versions", "deployment", "canary", "compare"],
)
def test_pages_fit_a_phone(moved, page_as, path, dark):
    page = page_as("admin", dark=dark, viewport=PHONE)
    page.goto(path)
    page.wait_for_load_state("networkidle")
    name = path.strip("/").rpartition("moved/")[2].replace("/", "-").partition("?")[0]
    shot(page, f"phone-{name}-{'dark' if dark else 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.problems == []
