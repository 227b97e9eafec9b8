"""Labelling in a real browser: keys, skip, undo, and what the server then knows."""

import json
import re

import pytest

from tests.browser.conftest import PHONE
from tests.browser.world import MODEL
from tests.e2e.server import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

QUEUE = f"/admin/models/{MODEL}/labelling/"


def audits(client):
    """Every audit label in the order in which it came, as (prediction, label)."""
    rows = client.get("/api/v1/exports/feedback.jsonl", params={"model": MODEL}).text.splitlines()
    found = [json.loads(row) for row in rows]
    return [
        (row["prediction_id"], row["correct_label"]) for row in found if row["source"] == "audit"
    ]


def opened(page):
    """A page of the queue that notes what it sends, with its first text."""
    page.sent = []
    page.on(
        "request",
        lambda asked: (
            page.sent.append((asked.url.rsplit("/", 2)[-2:], asked.post_data_json))
            if asked.method == "POST"
            and "/api/v1/audit/" in asked.url
            and not asked.url.endswith(("/take", "/let-go"))
            else None
        ),
    )
    page.goto(QUEUE)
    page.wait_for_selector("#lb-item:not([hidden])")
    return page


def text(page):
    return page.inner_text("#lb-text")


def labels_today(page):
    return int(re.search(r"given (\d+) label", page.inner_text("main.bw"))[1])


def press(page, key):
    """Press a key and wait for another text."""
    before = text(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.getElementById('lb-text').innerText !== before", arg=before
    )
    return before


def n_sent(page, n: int) -> int:
    """How many labels have left, once `n` have: one follows the answer to the one before."""
    for _ in range(200):
        if len(page.sent) >= n:
            break
        page.wait_for_timeout(50)
    return len(page.sent)


def test_five_texts_are_labelled_by_keys_with_skip_and_undo(page_as, world):
    with world.client() as client:
        n_before = len(audits(client))
        page = page_as("labeller")
        page.goto("/admin/labelling/")
        n_today = labels_today(page)
        opened(page)
        seen = [press(page, "1"), press(page, "2"), press(page, "n")]
        # Taken back before it is sent, said otherwise, then one skipped and one more labelled.
        press(page, "u")
        assert text(page) == seen[2]
        assert n_sent(page, 2) == 2
        press(page, "2")
        skipped = press(page, "s")
        last = [press(page, "1"), press(page, "p")]
        assert len({*seen, skipped, *last}) == 6
        page.keyboard.press("ArrowLeft")
        assert text(page) == last[1]
        page.keyboard.press("1")
        page.goto("/admin/labelling/")
        wait_until(lambda: len(audits(client)) == n_before + 5, 15)
        given = [label for _, label in audits(client)[n_before:]]
        assert given == ["NEGATIVE", "POSITIVE", "POSITIVE", "NEGATIVE", "NEGATIVE"]
        queue = client.get("/api/v1/audit", params={"model": MODEL, "limit": 100}).json()
        assert not {row["text"] for row in queue["results"]} & {*seen, skipped, *last}
        page.reload()
        assert labels_today(page) == n_today + 5
        assert page.problems == []


def test_what_was_sent_is_gone_back_to_and_revised(page_as, world):
    with world.client() as client:
        page = opened(page_as("operator"))
        first = press(page, "1")
        second = press(page, "1")
        page.wait_for_function("() => document.getElementById('lb-last').innerText !== ''")
        press(page, "u")
        assert text(page) == second
        press(page, "z")
        assert text(page) == first
        assert page.get_attribute(".lb-choice >> nth=0", "aria-pressed") == "true"
        assert "You said NEGATIVE" in page.inner_text("#lb-earlier")
        press(page, "2")
        page.goto("/admin/labelling/")
        [(path, _), *_] = page.sent
        id = path[0]
        address = f"/api/v1/predictions/{id}"
        wait_until(lambda: client.get(address).json()["correct_label"] == "POSITIVE", 15)
        assert page.problems == []


def test_an_operator_settles_what_two_people_call_differently(page_as, world):
    with world.client() as client:
        queue = client.post("/api/v1/audit/take", json={"model": MODEL, "limit": 1}).json()
        [item] = queue["results"]
        path = f"/api/v1/audit/{item['prediction_id']}/label"
        said = client.post(path, json={"label": "NEGATIVE"}).json()
        # The latter where somebody had told before what is true of it.
        assert said["status"] in ("recorded", "revised")
        labeller = page_as("labeller")
        labeller.goto("/admin/labelling/")
        [token] = [each for each in labeller.context.cookies() if each["name"] == "csrftoken"]
        headers = {"X-CSRFToken": token["value"], "Referer": world.url}
        said = labeller.request.post(path, data={"label": "POSITIVE"}, headers=headers)
        assert said.json()["status"] == "second_opinion"
        page = page_as("operator")
        page.goto(QUEUE)
        case = page.locator(".lb-case")
        assert "labeller" in case.inner_text()
        case.locator("select").select_option("POSITIVE")
        case.locator("button").click()
        page.wait_for_selector("text=Settled: POSITIVE")
        after = client.get(f"/api/v1/predictions/{item['prediction_id']}").json()
    assert after["correct_label"] == "POSITIVE"
    assert page.locator(".lb-case").count() == 0
    assert page.problems == []


def test_two_people_at_once_get_different_texts(page_as):
    texts = []
    for role in ("labeller", "admin"):
        page = opened(page_as(role))
        texts.append(text(page))
        if role == "admin":
            assert texts[0] != texts[1]
            assert page.problems == []


def test_the_models_answer_is_hidden_until_it_is_asked_for(page_as):
    page = opened(page_as("operator"))
    assert page.is_hidden("#lb-answer")
    page.keyboard.press("m")
    assert "The model said" in page.inner_text("#lb-answer")
    page.keyboard.press("m")
    assert page.is_hidden("#lb-answer")
    page.keyboard.press("?")
    assert page.is_visible("#lb-keys")
    page.keyboard.press("Escape")
    assert page.is_hidden("#lb-keys")
    assert page.problems == []


def test_a_phone_labels_by_touch(page_as):
    page = opened(page_as("operator", viewport=PHONE, dark=True))
    before = text(page)
    page.click(".lb-choice >> nth=0")
    page.wait_for_function(
        "before => document.getElementById('lb-text').innerText !== before", arg=before
    )
    page.click("#lb-undo")
    assert text(page) == before
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.sent == []
    assert page.problems == []


def test_a_viewer_is_refused(page_as):
    page = page_as("viewer")
    assert page.goto(QUEUE).status == 403
    assert page.goto("/admin/labelling/").status == 403
    assert page.goto("/admin/feedback/upload/").status == 403
