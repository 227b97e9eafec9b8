"""Alerts and channels in a real browser: acknowledge, silence, make a channel, send a test."""

import pytest

from tests.browser.conftest import PHONE
from tests.browser.test_admin import shot
from tests.e2e.server import wait_until
from tests.monitoring.alerting.receivers import receiving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LOOKS = [(False, None), (True, None), (False, PHONE), (True, PHONE)]
IDS = ["light", "dark", "phone-light", "phone-dark"]


@pytest.fixture(scope="package")
def alert(world):
    """The id of an alert that fires, or of what comes next to it."""
    with world.client() as client:
        found = client.get("/api/v1/alerts").raise_for_status().json()["results"]
    assert found, "the world has no alert"
    return found[0]


def no_wider_than_its_window(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


@pytest.mark.parametrize(("dark", "viewport"), LOOKS, ids=IDS)
def test_pages_read_well(page_as, alert, dark, viewport, request):
    page = page_as("admin", dark=dark, **({"viewport": viewport} if viewport else {}))
    for name, path in (
        ("alerts", "alerts/"),
        ("alert", f"alerts/{alert['id']}/"),
        ("channels", "channels/"),
        ("channel-kinds", "channels/new/"),
        ("channel-new", "channels/new/?kind=webhook"),
        ("silence", f"alerts/silences/new/?alert={alert['id']}"),
    ):
        page.goto(f"/admin/{path}")
        shot(page, f"{name}-{request.node.callspec.id}")
        assert page.locator("main.bw").count() == 1, path
        assert no_wider_than_its_window(page), path
    assert page.problems == []


def test_a_viewer_sees_no_acts_and_is_refused_them(page_as, alert):
    page = page_as("viewer")
    page.goto(f"/admin/alerts/{alert['id']}/")
    assert page.get_by_role("link", name="Silence").count() == 0
    assert page.goto(f"/admin/alerts/{alert['id']}/acknowledge/").status == 403
    assert page.goto("/admin/channels/new/").status == 403


def test_an_alert_is_acknowledged(page_as, alert):
    if alert["state"] != "firing":
        pytest.skip("nothing fires in this world")
    page = page_as("admin")
    page.goto("/admin/alerts/")
    page.locator(f"[id='alert-{alert['id']}']").click()
    page.get_by_role("link", name="Acknowledge").click()
    page.get_by_label("Note").fill("looking at it")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("by admin (admin)").wait_for()
    assert page.get_by_text("looking at it").count() == 1
    assert page.problems == []


def test_an_alert_is_silenced_and_the_silence_ended(page_as, alert):
    page = page_as("admin")
    page.goto(f"/admin/alerts/{alert['id']}/")
    page.get_by_role("link", name="Silence", exact=True).click()
    page.get_by_label("How long").select_option("1h")
    page.get_by_label("Note").fill("planned work")
    page.get_by_role("button", name="Silence").click()
    page.get_by_text("nobody is told meanwhile").wait_for()
    page.goto("/admin/alerts/")
    assert page.get_by_text("planned work").count() == 1
    page.get_by_role("link", name="End now").click()
    page.get_by_role("button", name="End it now").click()
    page.get_by_text("The silence is over").wait_for()
    assert page.get_by_text("planned work").count() == 0
    assert page.problems == []


def test_the_list_renews_itself_and_can_be_stopped(page_as, alert):
    page = page_as("viewer")
    page.clock.install()
    page.goto("/admin/alerts/")
    page.locator("#alerts-live").evaluate("list => list.replaceChildren()")
    page.clock.run_for(15_500)
    page.locator(f"[id='alert-{alert['id']}']").wait_for()
    page.get_by_role("button", name="Stop refreshing").click()
    assert page.get_by_text("Not refreshing.").count() == 1
    assert page.problems == []


def test_a_webhook_is_made_tried_disabled_and_deleted(page_as):
    page = page_as("admin")
    with receiving() as receiver:
        page.goto("/admin/channels/")
        page.get_by_role("link", name="Make a channel").click()
        page.get_by_role("link", name="Choose Webhook").click()
        page.get_by_label("Name").fill("on call")
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("Secret").fill("a secret of sixteen")
        page.get_by_role("button", name="Make it").click()
        page.get_by_text("Made the channel on call").wait_for()
        send = page.get_by_role("button", name="Send a test over on call")
        send.click()
        page.get_by_text("The test was delivered").wait_for()
        wait_until(lambda: len(receiver.received) == 1, 5)
        assert page.problems == []
        receiver.answers = [503]
        send.click()
        page.get_by_text("answers 503").wait_for()
    page.problems.clear()
    page.goto("/admin/channels/?state=dead#log")
    assert page.locator("#log").get_by_text("answers 503").count() == 1
    shot(page, "delivery-log")
    page.get_by_role("link", name="Disable on call").click()
    page.get_by_role("button", name="Disable").click()
    page.get_by_text("on call is disabled").wait_for()
    page.get_by_role("link", name="Delete on call").click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_text("Deleted the channel on call").wait_for()
    assert page.problems == []
