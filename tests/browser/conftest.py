"""A real browser over a real server with a past; one of each for all tests here."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.world import World

CHROMIUM = os.environ.get("BELLWETHER_CHROMIUM", shutil.which("chromium"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="package")
def world(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Gone with the last of these tests: it holds an event loop open, where no other test of the
    same process could use the database.
    """
    if not CHROMIUM:
        pytest.skip("no Chromium here: install it, or name it in BELLWETHER_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def states(world: World, browser: Any) -> dict[str, Any]:
    """Cookies of each role, signed in once."""
    return {}


@pytest.fixture
def page_as(world: World, browser: Any, states: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """`page_as("viewer", dark=True, viewport=PHONE)`: a page of somebody who is signed in.

    `page.problems` collects console errors, failed requests and requests to other hosts.
    """
    contexts = []

    def make(role: str, *, dark: bool = False, viewport: dict[str, int] = WIDE) -> Any:
        context = new_context(
            browser, world.url, dark=dark, viewport=viewport, storage_state=states.get(role)
        )
        contexts.append(context)
        page = watched(context.new_page(), world.url)
        if role not in states:
            sign_in(page, role)
            states[role] = context.storage_state()
        return page

    yield make
    for context in contexts:
        context.close()


def new_context(
    browser: Any, url: str, *, dark: bool, viewport: dict[str, int], **more: Any
) -> Any:
    """A browser of its own at the server `url`; `more` is Playwright's."""
    return browser.new_context(
        base_url=url,
        viewport=viewport,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        **more,
    )


def watched(page: Any, url: str) -> Any:
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on(
        "console",
        lambda line: page.problems.append(line.text) if line.type == "error" else None,
    )
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((url, "data:", "blob:"))
            else page.problems.append(f"another host: {asked.url}")
        ),
    )
    return page


def sign_in(page: Any, role: str) -> None:
    page.goto("/admin/login/?next=/admin/")
    page.fill("input[name=username]", role)
    page.fill("input[name=password]", role)
    page.click("[type=submit]")
    page.wait_for_url("**/admin/")
