"""The model page: charts that share one view, marks, the map, and what is said of nothing."""

import re
import shutil

import pytest

from tests.browser.conftest import PHONE
from tests.browser.world import MODEL
from tests.e2e.server import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PATH = f"/admin/models/{MODEL}/"
QUIET = "acme/quiet"
DRAWN = "section[data-chart]:has(canvas)"


def opened(page, query: str = "?range=1h", path: str = PATH):
    """The page with its charts drawn, and all other parts there."""
    page.goto(f"{path}{query}")
    page.wait_for_selector("#model-charts[aria-busy=false]")
    for part in ("confusion", "calibration", "classes", "segments", "map"):
        page.wait_for_selector(f"#model-{part} [data-body][aria-busy=false]")
    return page


def windows(page) -> set[tuple[str, str]]:
    """The times that the drawn charts show: one pair if they agree."""
    charts = page.locator(DRAWN)
    # Estimates and drift are of all traffic: of a segment they are not there.
    assert charts.count() >= 4
    return {
        (each.get_attribute("data-from"), each.get_attribute("data-to")) for each in charts.all()
    }


def over(page, chart: str):
    return page.locator(f"section[data-chart={chart}] .u-over")


def drag(page, chart: str) -> None:
    """Over the last tenth of an hour: all that the world did is in it."""
    place = over(page, chart)
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 90, steps=4)
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 90, steps=4)
    page.mouse.up()


@pytest.fixture(scope="module")
def quiet(world, tmp_path_factory) -> str:
    """A model with a version that nothing was ever asked of."""
    folder = shutil.copytree(ROOT / "starter" / "model", tmp_path_factory.mktemp("quiet") / "model")
    world.server.manage("register", str(folder), QUIET)
    return f"/admin/models/{QUIET}/"


def test_all_charts_and_the_address_follow_a_zoom(page_as):
    page = opened(page_as("viewer"))
    [(before, _)] = windows(page)
    drag(page, "latency")
    page.wait_for_url(re.compile(r"from=.*&to="))
    page.wait_for_selector("#model-charts[aria-busy=false]")
    [(start, end)] = windows(page)
    assert int(start) > int(before)
    assert int(end) - int(start) < 3600
    assert page.locator("#range-reset").is_enabled()
    over(page, "traffic").dblclick()
    page.wait_for_url(re.compile(r"\?range=1h$"))
    [(start, end)] = windows(page)
    assert int(end) - int(start) == 3600
    page.go_back()
    page.wait_for_url(re.compile(r"from=.*&to="))
    assert page.problems == []


def test_a_link_leads_to_the_same_view(page_as):
    first = opened(page_as("viewer"))
    drag(first, "traffic")
    first.wait_for_url(re.compile(r"from=.*&to="))
    first.select_option("#range-version", "1")
    first.select_option("#range-segment", "=reviews")
    first.wait_for_url(re.compile(r"version=1&segment=reviews"))
    second = page_as("viewer")
    opened(second, first.url.partition(PATH)[2])
    assert windows(second) == windows(first)
    assert second.input_value("#range-segment") == "=reviews"
    assert second.input_value("#range-version") == "1"
    assert second.locator("[data-chart=traffic]").get_by_text("version 1").count() == 1


def test_presets_and_own_times_are_in_the_address(page_as):
    page = opened(page_as("viewer"))
    page.get_by_role("button", name="7 d", exact=True).click()
    page.wait_for_url(re.compile(r"\?range=7d$"))
    assert page.locator("[data-range='7d']").get_attribute("aria-pressed") == "true"
    page.fill("#range-from", "2026-01-02T10:00")
    page.fill("#range-to", "2026-01-01T10:00")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_text("must be before").wait_for()
    page.fill("#range-to", "2026-01-02T11:30")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(re.compile(r"from=2026-01-02T"))
    page.get_by_text("Nothing was predicted in this time.").first.wait_for()
    assert page.locator("#range-live").is_disabled()
    assert page.problems == []


def test_what_happened_is_marked_on_every_chart_and_listed(page_as):
    page = opened(page_as("viewer"))
    charts = page.locator(DRAWN).count()
    assert page.locator(".bw-mark--bad:visible").count() >= charts
    mark = page.locator("[data-chart=traffic] .bw-mark--bad").first
    assert "drift" in mark.get_attribute("title")
    entry = page.locator("#model-marks li", has_text="alert").first
    assert entry.get_by_role("link").get_attribute("href").startswith("/admin/alerts/")
    assert page.locator("#model-marks li", has_text="promoted").count() == 1
    entry.hover()
    assert page.locator(".bw-mark--pointed").count() == charts


def test_the_cursor_is_shared_and_the_legend_tells_the_values(page_as):
    page = opened(page_as("viewer"), "?range=15m")
    over(page, "traffic").hover()
    shown = page.locator("[data-chart=latency] .bw-legend__at")
    shown.filter(has_text=":").wait_for()
    assert shown.inner_text() == page.locator("[data-chart=traffic] .bw-legend__at").inner_text()


def test_a_series_can_be_hidden(page_as):
    page = opened(page_as("viewer"))
    button = page.locator("[data-chart=latency]").get_by_role("button", name="p99")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"


def test_a_chart_can_be_read_as_a_table(page_as):
    page = opened(page_as("viewer"))
    chart = page.locator("[data-chart=quality]")
    chart.get_by_text("Show as table").click()
    chart.locator("tbody tr").first.wait_for(state="attached")
    assert re.search(r"0\.\d{3} \(0\.\d{3} to [01]\.\d{3}\), n = \d+", chart.inner_text())


def test_the_map_tells_what_lies_under_the_pointer_and_the_keyboard(page_as):
    page = opened(page_as("viewer"))
    frame = page.locator("#model-map [role=group]")
    frame.focus()
    page.keyboard.press("ArrowRight")
    told = page.locator("#model-map [aria-live]")
    first = told.inner_text()
    assert "predicted NEGATIVE" in first or "predicted POSITIVE" in first
    page.keyboard.press("ArrowRight")
    assert told.inner_text() != first
    page.locator("#model-map summary").click()
    table = page.locator("#model-map tbody")
    assert table.locator("tr").count() > 200
    link = table.get_by_role("link").first.get_attribute("href")
    assert re.match(r"/admin/predictions/[0-9a-f-]{36}/$", link)
    assert page.problems == []


def test_a_point_of_the_traffic_opens_its_prediction(page_as):
    page = opened(page_as("viewer"))
    frame = page.locator("#model-map [role=group]")
    frame.focus()
    for _ in range(300):
        page.keyboard.press("ArrowRight")
        if page.locator("#model-map [aria-live] a").count():
            break
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/admin/predictions/[0-9a-f-]{36}/$"))


def test_the_matrix_and_the_segments_are_reached_by_the_keyboard(page_as):
    page = opened(page_as("viewer"))
    cells = page.locator("#model-confusion td[title]")
    assert cells.count() == 4
    cells.first.focus()
    page.keyboard.press("ArrowRight")
    assert cells.nth(1).evaluate("cell => cell === document.activeElement")
    assert "taken for" in page.locator("#model-confusion [aria-live]").inner_text()
    assert "ECE" in page.locator("#model-calibration").inner_text()
    page.locator("#model-segments").get_by_role("button", name="reviews").click()
    page.wait_for_url(re.compile("segment=reviews"))
    assert page.problems == []


def test_a_model_that_was_never_asked_says_so_everywhere(page_as, quiet):
    page = opened(page_as("viewer"), "", quiet)
    assert page.locator("canvas").count() == 0
    for text in ("Nothing was predicted in this time.", "has a label yet", "Nothing was promoted"):
        assert page.get_by_text(text).count() >= 1
    assert page.get_by_text("not promoted").count() == 1
    assert page.get_by_text("No live version").count() == 1
    assert page.problems == []


def test_what_cannot_be_read_says_so_and_can_be_tried_again(page_as):
    page = page_as("viewer")
    page.route("**/timeline?*", lambda route: route.fulfill(status=500, body="{}"))
    page.goto(f"{PATH}?range=1h")
    page.locator("[data-chart=traffic] [role=alert]").wait_for()
    assert page.locator("section[data-chart] [role=alert]").count() == 6
    page.unroute("**/timeline?*")
    page.locator("[data-chart=traffic]").get_by_role("button", name="Try again").click()
    page.wait_for_selector("[data-chart=traffic] canvas")
    assert page.locator("section[data-chart] [role=alert]").count() == 0


def test_charts_stay_when_a_refresh_fails(page_as):
    page = opened(page_as("viewer"), "?range=15m")
    page.route("**/timeline?*", lambda route: route.abort())
    page.get_by_text("Not refreshed: The server does not answer.").wait_for()
    assert page.locator(DRAWN).count() >= 6


def test_nothing_is_asked_again_while_live_is_off(page_as):
    page = opened(page_as("viewer"), "?range=15m")
    page.uncheck("#range-live")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(6000)
    assert asked == []


def test_light_and_dark_redraw_the_charts(page_as):
    page = opened(page_as("viewer", dark=True))
    swatch = page.locator("[data-chart=traffic] .bw-swatch").first
    dark = swatch.evaluate("one => getComputedStyle(one).borderTopColor")
    page.evaluate("document.documentElement.classList.remove('dark')")
    page.wait_for_function(
        "dark => getComputedStyle(document.querySelector('[data-chart=traffic] .bw-swatch'))"
        ".borderTopColor !== dark",
        arg=dark,
    )
    assert page.problems == []


def test_a_phone_shows_one_column_without_scrolling_sideways(page_as):
    page = opened(page_as("viewer", viewport=PHONE))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    lefts = {each.bounding_box()["x"] for each in page.locator("section[data-chart]").all()}
    assert len(lefts) == 1
    assert page.problems == []
