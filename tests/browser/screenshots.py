"""Pictures of every page, light and dark, wide and on a phone, over a server with a past.

    python -m tests.browser.screenshots [NAME …]      (make screenshots)

They go to docs/images/dashboard; BELLWETHER_TEST_DATA gives the texts that the server is asked.
The demo is played first, in two minutes, so that charts have something to tell.
"""

import base64
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.browser.conftest import CHROMIUM, FLAGS, PHONE, WIDE, new_context, sign_in, watched
from tests.browser.pages import PAGES, Page
from tests.browser.test_accessibility import settle
from tests.browser.world import World

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images" / "dashboard"
QUALITY = 60
TALLEST = 6000
# Of the picture that opens the README.
SHORT = 1620
PLAY_S = 300.0
LOOKS = {
    "wide-light": (WIDE, False),
    "wide-dark": (WIDE, True),
    "phone-light": (PHONE, False),
    "phone-dark": (PHONE, True),
}


def play(world: World) -> Page:
    """Play the demo and return the page of its model, which shows just that time."""
    began = datetime.now(UTC)
    world.server.manage("demo", "--url", world.url, timeout_s=PLAY_S)
    shown = {"from": f"{began:%Y-%m-%dT%H:%M:%SZ}", "to": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    return Page("demo", f"/admin/models/demo/sentiment/?{urlencode(shown)}")


def shoot(page: Any, path: Path, tallest: int = TALLEST) -> None:
    """The whole page as WebP, which Playwright's own screenshots cannot be; a fifth of a PNG."""
    session = page.context.new_cdp_session(page)
    size = page.viewport_size
    height = page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": size["width"], "height": min(height, tallest), "scale": 1}
    asked = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
    shot = session.send("Page.captureScreenshot", asked)
    path.write_bytes(base64.b64decode(shot["data"]))
    session.detach()


def main(names: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    if not CHROMIUM:
        raise SystemExit("no Chromium here: install it, or name it in BELLWETHER_CHROMIUM")
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = [page for page in PAGES if not names or page.name in names]
    with (
        tempfile.TemporaryDirectory() as root,
        closing(World(Path(root))) as world,
        sync_playwright() as playwright,
    ):
        if not names or "demo" in names:
            wanted.append(play(world))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for look, (viewport, is_dark) in LOOKS.items():
            context = new_context(browser, world.url, dark=is_dark, viewport=viewport)
            page = watched(context.new_page(), world.url)
            sign_in(page, "admin")
            for one in wanted:
                page.goto(one.address(world))
                settle(page)
                tallest = SHORT if one.name == "demo" else TALLEST
                shoot(page, FOLDER / f"{one.name}-{look}.webp", tallest)
                print(f"{one.name}-{look}", *page.problems)
                page.problems.clear()
            context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
