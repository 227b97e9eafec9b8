"""The playground in a real browser: a model is asked, compared, told what was right, and quoted."""

import json
import os
import subprocess
import sys

import pytest

from tests.browser.conftest import PHONE
from tests.browser.world import MODEL
from tests.e2e.server import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PATH = "/admin/playground/"
HARD = 'it\'s a "warm" film,\nnot `dull` $HOME \\ 🎬'


@pytest.fixture(scope="module")
def beside(world):
    """Version 2 as a shadow, so that it is in memory."""
    path = f"/api/v1/models/{MODEL}"
    with world.client() as client:
        before = client.get(f"{path}/routes").raise_for_status().json()["routes"]
        fields = ("version", "mode", "weight")
        routes = [
            {name: route[name] for name in fields} for route in before if route["version"] != 2
        ]
        if len(routes) < len(before):
            return
        routes.append({"version": 2, "mode": "shadow", "weight": 1})
        client.put(f"{path}/routes", json={"routes": routes}).raise_for_status()
        wait_until(lambda: client.get(f"{path}/deployment").json()["converged"], 60)


def ask(page, text: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Control+Enter")
    page.wait_for_selector("#answers article")


def test_an_example_is_asked_with_one_click(page_as):
    page = page_as("operator")
    page.goto(PATH)
    assert "Nothing was asked yet" in page.inner_text("#answers")
    page.click("[data-example] >> nth=0")
    page.wait_for_selector("#answers article")
    told = page.inner_text("#answers")
    assert "POSITIVE" in told
    assert "NEGATIVE" in told
    assert "tokens" in told
    for stage in ("tokenise", "queue", "inference", "total", "seen from here"):
        assert stage in told
    assert page.locator(".bw-scores .bw-bar").count() == 2
    assert page.problems == []


def test_parameters_are_asked_as_they_are_written(page_as):
    page = page_as("operator")
    page.goto(PATH)
    assert json.loads(page.input_value("#parameters")) == {"top_k": None}
    page.fill("#parameters", '{"top_k": 1, "threshold": 1}')
    ask(page, "A warm film.")
    assert page.locator(".bw-scores .bw-bar").count() == 1
    assert '"threshold": 1' in page.inner_text("#code") or '"threshold":1' in page.inner_text(
        "#code"
    )
    page.fill("#parameters", "{top_k")
    page.press("#text", "Control+Enter")
    page.wait_for_selector("#answers [role=alert]")
    assert "must be JSON" in page.inner_text("#answers")
    assert page.problems == []


def test_an_answer_leads_to_its_prediction_which_is_pinned(page_as, world):
    page = page_as("operator")
    page.goto(PATH)
    ask(page, "a film that I liked a lot")
    href = page.locator("#answers a").get_attribute("href")
    with world.client() as client:
        path = f"/api/v1/predictions/{href.split('/')[3]}"
        wait_until(lambda: client.get(path).status_code == 200)
        kept = client.get(path).json()
    assert kept["text"] == "a film that I liked a lot"
    assert kept["route"] == "pinned"
    page.click("#answers a")
    page.wait_for_url(f"**{href}")
    assert page.problems == []


def test_every_line_is_a_text_of_its_own(page_as):
    page = page_as("operator", viewport=PHONE)
    page.goto(PATH)
    page.check("#lines")
    ask(page, "a fine film\n\n  a dull one  ")
    page.wait_for_selector(".bw-play__answer >> nth=1")
    assert page.locator(".bw-play__answer").count() == 2
    assert "2 of at most" in page.inner_text("#count")
    too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
    assert not too_wide
    assert page.problems == []


def test_two_versions_answer_side_by_side(page_as, beside):
    page = page_as("operator", dark=True)
    page.goto(f"{PATH}?model={MODEL}&version=1&beside=2&text=a+quiet+wonder")
    assert page.input_value("#text") == "a quiet wonder"
    page.click("#go")
    page.wait_for_selector("#answers article >> nth=1")
    titles = page.locator("#answers h3").all_inner_texts()
    assert titles == [f"{MODEL} v1", f"{MODEL} v2"]
    digests = page.locator("#answers .bw-card__head code").all_inner_texts()
    assert len(set(digests)) == 2
    assert page.problems == []


def test_what_was_right_is_kept(page_as, world):
    page = page_as("operator")
    page.goto(PATH)
    ask(page, "I would watch it again at once")
    page.select_option("#answers select", index=1)
    page.wait_for_selector("#answers >> text=kept:")
    href = page.locator("#answers a").get_attribute("href")
    with world.client() as client:
        kept = client.get(f"/api/v1/predictions/{href.split('/')[3]}").json()
    assert kept["feedback"][-1]["source"] == "user"
    assert page.problems == []


def test_a_version_that_is_not_in_memory_is_told_before_and_after(page_as):
    page = page_as("operator")
    page.goto(f"{PATH}?model={MODEL}&version=77")
    assert "Version 77 of" in page.inner_text(".bw-note--warn")
    ask(page, "x")
    told = page.inner_text("#answers")
    assert "version_not_found" in told or "version_not_loaded" in told


@pytest.mark.parametrize("text", ["", "   \n "], ids=["nothing", "blanks"])
def test_nothing_is_asked_for_nothing(page_as, text):
    page = page_as("operator")
    page.goto(PATH)
    page.fill("#text", text)
    page.click("#go")
    page.wait_for_selector("text=Write a text first.")
    assert page.problems == []


def test_a_text_that_is_too_long_is_refused_with_the_limit(page_as):
    page = page_as("operator")
    page.goto(PATH)
    page.fill("#text", "a" * 100_001)
    page.click("#go")
    page.wait_for_selector("text=The longest text has 100001 characters; 100000 are allowed.")
    page.fill("#text", "so long " * 3000)
    page.click("#go")
    page.wait_for_selector("text=cut to fit the model")
    assert page.problems == []


def test_last_trials_come_back_and_are_forgotten(page_as):
    page = page_as("operator")
    page.goto(PATH)
    ask(page, "the first of two")
    page.goto(PATH)
    page.wait_for_selector("#past button")
    page.click("#past button")
    assert page.input_value("#text") == "the first of two"
    page.click("#forget")
    assert "None yet" in page.inner_text("body")
    assert page.problems == []


def codes(page) -> dict[str, str]:
    found = {}
    for tab in page.locator("#languages [role=tab]").all():
        tab.click()
        found[tab.inner_text()] = page.text_content("#code")
    return found


def run(command: list[str], key: str) -> str:
    environment = {**os.environ, "BELLWETHER_API_KEY": key, "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_code_does_what_the_page_did(page_as, world, tmp_path):
    page = page_as("operator")
    page.goto(PATH)
    ask(page, HARD)
    label = page.inner_text("#answers .bw-figure").split()[0]
    page.click("[data-language=curl]")
    written = codes(page)
    key = world.server.first_run["api_key"]
    assert all(key not in code for code in written.values())
    script = tmp_path / "call.mjs"
    script.write_text(written["JavaScript"])
    said = {
        "curl": run(["bash", "-c", written["curl"]], key),
        "httpx": run([sys.executable, "-c", written["Python (httpx)"]], key),
        "client": run([sys.executable, "-c", written["Python (InferenceClient)"]], key),
        "javascript": run(["node", str(script)], key),
    }
    assert json.loads(said["curl"])["predictions"][0]["label"] == label
    assert json.loads(said["javascript"])["predictions"][0]["label"] == label
    assert f"'label': '{label}'" in said["httpx"]
    assert said["client"].index(label) < said["client"].index(
        {"POSITIVE": "NEGATIVE", "NEGATIVE": "POSITIVE"}[label]
    )
    with world.client() as client:
        texts = client.get("/api/v1/predictions").json()["results"][:5]
    assert page.problems == []
    assert HARD in {row["text"] for row in texts}


def test_the_languages_are_reached_with_the_keyboard(page_as):
    page = page_as("operator")
    page.goto(PATH)
    page.focus("#languages [aria-selected=true]")
    page.keyboard.press("ArrowRight")
    assert (
        page.locator("#languages [aria-selected=true]").inner_text() == "Python (InferenceClient)"
    )
    page.keyboard.press("ArrowLeft")
    assert page.text_content("#code").startswith("curl ")


def test_a_bad_ticket_is_made_anew(page_as):
    page = page_as("operator")
    page.goto(PATH)
    asked = []

    def spoil(route):
        asked.append(1)
        answer = route.fetch()
        body = answer.json()
        if len(asked) == 1:
            body["ticket"] += "x"
        route.fulfill(response=answer, json=body)

    page.route("**/api/v1/session-ticket", spoil)
    ask(page, "a good film")
    page.wait_for_selector("#answers .bw-figure")
    assert len(asked) == 2
