"""Predictions in a real browser: search, open one, correct it, and labels from a file."""

import csv
import io

import pytest

from tests.browser.conftest import PHONE
from tests.browser.world import MODEL

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_search_leads_to_one_prediction(page_as, world):
    with world.client() as client:
        newest = client.get("/api/v1/predictions", params={"model": MODEL}).json()["results"][0]
    word = max(newest["text"].split(), key=len)
    page = page_as("viewer")
    page.goto("/admin/predictions/")
    page.fill("#f-text", word)
    page.select_option("#f-model", MODEL)
    page.click("#search button[type=submit]")
    page.wait_for_url("**text=**")
    assert "score_from" not in page.url
    assert word.lower() in page.inner_text(".pr-table tbody").lower()
    page.click(".pr-table tbody a >> nth=0")
    page.wait_for_selector("#neighbours")
    assert word.lower() in page.inner_text(".pr-text").lower()
    assert page.locator("form[method=post] #f-label").count() == 0
    assert page.problems == []


def test_wrong_answers_are_exported_as_they_are_shown(page_as):
    page = page_as("viewer")
    page.goto("/admin/predictions/?known=wrong&range=7d")
    n_shown = page.locator(".pr-table tbody tr").count()
    assert n_shown > 0
    with page.expect_download() as waited:
        page.click("text=CSV")
    with open(waited.value.path(), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == n_shown or len(rows) > n_shown == 50
    assert page.problems == []


def test_a_label_is_corrected_on_a_phone(page_as, world):
    with world.client() as client:
        query = {"model": MODEL, "labelled": "yes", "limit": 1}
        [row] = client.get("/api/v1/predictions", params=query).json()["results"]
        other = "NEGATIVE" if row["correct_label"] == "POSITIVE" else "POSITIVE"
        page = page_as("operator", viewport=PHONE, dark=True)
        page.goto(f"/admin/predictions/{row['id']}/")
        page.select_option("#f-label", other)
        page.click("text=Save")
        page.wait_for_selector(f"text={other} is the label that counts")
        after = client.get(f"/api/v1/predictions/{row['id']}").json()
    assert after["correct_label"] == other
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.problems == []


def test_labels_from_a_file_are_taken_and_the_refused_come_back(page_as, world):
    with world.client() as client:
        query = {"model": MODEL, "labelled": "no", "segment": "tweets", "limit": 3}
        rows = client.get("/api/v1/predictions", params=query).json()["results"]
    lines = [
        "prediction_id,correct_label",
        *(f"{row['id']},POSITIVE" for row in rows),
        "x,POSITIVE",
    ]
    page = page_as("labeller")
    page.goto("/admin/feedback/upload/")
    file = {"name": "labels.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    page.set_input_files("#f-file", file)
    page.click("text=Give these labels")
    page.wait_for_selector("#outcome")
    assert "4 rows looked at" in page.inner_text("#outcome")
    with page.expect_download() as waited:
        page.click("#save-refused")
    with open(waited.value.path(), newline="", encoding="utf-8") as saved:
        [refused] = csv.DictReader(io.StringIO(saved.read()))
    assert (refused["line"], refused["prediction_id"]) == ("5", "x")
    assert page.problems == []
