"""A real browser signs in to the admin of a real server, reads its pages and promotes a version."""

import os
import time
from pathlib import Path

import pytest

from tests.e2e import databases
from tests.e2e.conftest import MODEL
from tests.e2e.server import Server, wait_until
from tests.inference.tiny import save_tiny

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TEXTS = ["a warm and funny film", "a dull, endless evening", "<script>alert('x')</script> good"]


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """A server with two versions, three predictions, one of them labelled, and a finished job."""
    root = tmp_path_factory.mktemp("browser")
    server = Server(root / "home", "--no-starter", BELLWETHER_DEFAULT_MODEL=MODEL)
    for number in (1, 2):
        server.manage("register", str(save_tiny(root / f"v{number}", seed=number)), MODEL)
    server.manage("promote", MODEL, "1")
    server.start()
    with server.client() as client:
        path = f"/api/v1/models/{MODEL}/predict"
        ids = [
            client.post(path, json={"inputs": text}).json()["predictions"][0]["id"]
            for text in TEXTS
        ]
        feedback = {"prediction_id": ids[0], "correct_label": "POSITIVE"}
        client.post("/api/v1/feedback", json=feedback).raise_for_status()
        job = client.post("/async-sentiment", json={"texts": TEXTS}).json()
        wait_until(lambda: client.get(f"/job/{job['job_id']}").json()["status"] == "completed")
    yield server
    server.stop()
    databases.drop_for(server.home)


@pytest.fixture(scope="module")
def page(browser, server):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on(
        "response",
        lambda response: (
            page.problems.append(f"{response.status} {response.url}")
            if response.status >= 400
            else None
        ),
    )
    page.goto(f"{server.url}/admin/")
    page.fill("input[name=username]", server.first_run["admin_user"])
    page.fill("input[name=password]", server.first_run["admin_password"])
    page.click("[type=submit]")
    page.wait_for_url("**/admin/")
    yield page
    page.context.close()


def shot(page, name: str) -> None:
    """Keep a picture for people to look at, where one is wanted."""
    if folder := os.environ.get("BELLWETHER_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png")


LISTS = {
    "registry/registeredmodel": "team/tiny",
    "registry/version": "team/tiny",
    "registry/route": "stable",
    "registry/event": "promoted",
    "registry/commit": "main",
    "registry/ref": "main",
    "registry/replica": "team/tiny",
    "registry/blob": "versions",
    "registry/operation": "import a model",
    "registry/backup": "back up now",
    "registry/trustedkey": "0 trusted keys",
    "monitoring/prediction": "a warm and funny film",
    "monitoring/feedback": "POSITIVE",
    "inference/job": "completed",
    "access/apikey": "first",
    "auth/user": "admin",
}


@pytest.mark.parametrize("path", LISTS)
def test_every_list_shows_its_rows(server, page, path):
    page.problems.clear()
    page.goto(f"{server.url}/admin/{path}/")
    shot(page, path.replace("/", "-"))
    assert LISTS[path].lower() in page.inner_text("body").lower()
    assert page.problems == []


@pytest.mark.parametrize("path", ["registry/version", "monitoring/prediction", "inference/job"])
def test_a_row_opens_and_offers_nothing_to_save(server, page, path):
    page.problems.clear()
    page.goto(f"{server.url}/admin/{path}/")
    page.click("#result_list tbody tr:first-child th a, #result_list tbody tr:first-child td a")
    page.wait_for_load_state()
    shot(page, path.replace("/", "-") + "-row")
    assert page.locator("[name=_save]").count() == 0
    assert page.problems == []


def test_texts_are_shown_as_texts(server, page):
    page.goto(f"{server.url}/admin/monitoring/prediction/")
    assert "<script>alert" in page.inner_text("body")
    assert page.problems == []


def test_a_version_is_promoted_with_the_mouse(server, page):
    page.goto(f"{server.url}/admin/registry/version/")
    page.locator("#result_list tbody tr", has_text="2").first.locator("input.action-select").check()
    page.select_option("select[name=action]", value="promote")
    page.locator("[name=index]").click()
    page.click("text=Yes, do it")
    page.wait_for_load_state()
    shot(page, "promoted")
    with server.client() as client:
        wait_until(
            lambda: client.post("/sentiment", json={"text": "x"}).headers["x-model-version"] == "2",
            2,
        )


def scroll_to(page, selector: str) -> None:
    """Of so many paths only those in sight are drawn."""
    deadline = time.monotonic() + 60
    while not page.locator(selector).count():
        assert time.monotonic() < deadline, f"{selector} is nowhere on the page"
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(50)


def test_the_api_page_shows_both_planes(server, page):
    page.problems.clear()
    page.goto(f"{server.url}/docs")
    page.wait_for_selector(".opblock-summary-path")
    shot(page, "docs")
    for path in ("/api/v1/models/{namespace}/{name}/predict", "/sentiment"):
        scroll_to(page, f'.opblock-summary-path[data-path="{path}"]')
    assert page.problems == []
