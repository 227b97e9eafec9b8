"""The pages of predictions: every filter against brute force, bounded queries, who may do what."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.roles import ROLES
from monitoring import searching
from monitoring.dashboard.neighbours import load_neighbours, similarities
from monitoring.errors import InvalidFilter, InvalidWindow
from monitoring.models import Exemplar, Feedback, Prediction
from monitoring.searching import load_page, matching, parse_search
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem
from tests.access.people import make_person
from tests.monitoring.builders import MODEL, client, labels_of, make_prediction, register

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LIST = "/admin/predictions/"


def signed_in(role: str) -> Client:
    made = Client()
    made.force_login(make_person(role))
    return made


def embedding(*values: float) -> bytes:
    return np.array(values, dtype="<f2").tobytes()


def label(row: Prediction, *labels: str) -> None:
    for said in labels:
        item = FeedbackItem(row.id, said, "delayed")
        give_feedback([item], key_id="k1", now=NOW, load_labels=labels_of, wait_s=0)


@pytest.fixture
def many() -> list[Prediction]:
    """Forty predictions of the past days that differ in all that can be filtered, newest first."""
    draw = random.Random(5)
    rows = []
    for i in range(40):
        score = draw.choice([0.4, 0.6, 0.8, 0.95])
        rows.append(
            make_prediction(
                at=NOW - timedelta(hours=1.1 * i + 0.01),
                model=draw.choice([MODEL, "acme/other"]),
                version=draw.choice([1, 2]),
                text=draw.choice(["A Fine day", "100% dull_", "nothing new", None]),
                label=draw.choice(["POSITIVE", "NEGATIVE"]),
                score=score,
                segment=draw.choice(["", "web"]),
                truncated=draw.random() < 0.2,
                route=draw.choice(["live", "live", "pinned"]),
            )
        )
        if draw.random() < 0.6:
            label(rows[-1], *draw.choices(["POSITIVE", "NEGATIVE", "NEUTRAL"], k=2))
    return rows


def known(row: Prediction) -> str | None:
    said = row.feedback.order_by("-revision").first()
    return said.label if said else None


FILTERS: dict[str, tuple[dict[str, str], Any]] = {
    "none": ({}, lambda row: True),
    "model": ({"model": MODEL}, lambda row: row.model == MODEL),
    "version": ({"version": "2"}, lambda row: row.version == 2),
    "text in any case": ({"text": "fine"}, lambda row: "Fine" in (row.text or "")),
    "text with a percent": ({"text": "0% d"}, lambda row: "%" in (row.text or "")),
    "text with a wildcard": ({"text": "l_"}, lambda row: "_" in (row.text or "")),
    "label": ({"label": "NEGATIVE"}, lambda row: row.label == "NEGATIVE"),
    "scores": (
        {"score_from": "0.6", "score_to": "0.8"},
        lambda row: 0.6 <= row.score <= 0.8,
    ),
    "segment": ({"segment": "web"}, lambda row: row.segment == "web"),
    "labelled": ({"known": "yes"}, lambda row: known(row) is not None),
    "not labelled": ({"known": "no"}, lambda row: known(row) is None),
    "right": ({"known": "right"}, lambda row: known(row) == row.label),
    "wrong": ({"known": "wrong"}, lambda row: known(row) not in (None, row.label)),
    "pinned": ({"route": "pinned"}, lambda row: row.route == "pinned"),
    "truncated": ({"truncated": "yes"}, lambda row: row.truncated),
    "whole": ({"truncated": "no"}, lambda row: not row.truncated),
    "several": (
        {"model": MODEL, "known": "wrong", "label": "POSITIVE"},
        lambda row: (
            row.model == MODEL and row.label == "POSITIVE" and known(row) not in (None, "POSITIVE")
        ),
    ),
}
DAYS = {"from": (NOW - timedelta(days=5)).isoformat()}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_what_looking_at_every_row_finds(many: list[Prediction], name: str) -> None:
    query, is_meant = FILTERS[name]
    meant = [row.id for row in many if is_meant(row)]
    found = load_page(parse_search(query | DAYS, now=NOW))
    assert [row.id for row in found.rows] == meant
    assert (found.following, found.scanned_to) == (None, None)
    exported = matching(parse_search(query | DAYS, now=NOW))
    assert [row.id for row in exported] == meant[::-1]


def test_without_times_the_last_day_is_meant(many: list[Prediction]) -> None:
    found = load_page(parse_search({}, now=NOW))
    day = parse_search({}, now=NOW).window.start
    assert [row.id for row in found.rows] == [row.id for row in many if row.at >= day]


def test_times_are_exact_though_ids_are_walked(many: list[Prediction]) -> None:
    start, end = NOW - timedelta(hours=20), NOW - timedelta(hours=9)
    search = parse_search({"from": start.isoformat(), "to": end.isoformat()}, now=NOW)
    meant = [row.id for row in many if search.window.start <= row.at < search.window.end]
    assert [row.id for row in load_page(search).rows] == meant


def test_pages_walk_through_everything_once(many: list[Prediction]) -> None:
    search = parse_search(DAYS, now=NOW)
    seen: list[UUID] = []
    below = None
    for _ in range(10):
        found = load_page(search, below=below, n_rows=7)
        seen += [row.id for row in found.rows]
        below = found.following
        if below is None:
            break
    assert seen == [row.id for row in many]


def test_a_search_gives_up_after_so_many_rows_says_so_and_goes_on(
    many: list[Prediction], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_SCANNED", 10)
    search = parse_search({"label": "NEGATIVE"} | DAYS, now=NOW)
    found = load_page(search)
    seen = [row.id for row in found.rows]
    assert found.scanned_to is not None
    assert abs(found.scanned_to - many[10].at) < timedelta(seconds=1)
    assert seen == [row.id for row in many[:11] if row.label == "NEGATIVE"]
    for _ in range(5):
        if found.following is None:
            break
        found = load_page(search, below=found.following)
        seen += [row.id for row in found.rows]
    assert seen == [row.id for row in many if row.label == "NEGATIVE"]
    assert load_page(parse_search(DAYS, now=NOW)).scanned_to is None


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"version": "0"}, InvalidFilter),
        ({"version": "one"}, InvalidFilter),
        ({"score_from": "1.5"}, InvalidFilter),
        ({"score_to": "nan"}, InvalidFilter),
        ({"known": "perhaps"}, InvalidFilter),
        ({"route": "shadow"}, InvalidFilter),
        ({"truncated": "1"}, InvalidFilter),
        ({"text": "a\x00b"}, InvalidFilter),
        ({"label": "x" * 257}, InvalidFilter),
        ({"from": "yesterday"}, InvalidWindow),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_is_named_on_the_page(query: dict[str, str], error: type) -> None:
    with pytest.raises(error) as caught:
        parse_search(query, now=NOW)
    answer = signed_in("viewer").get(LIST, query)
    assert answer.status_code == 200
    assert caught.value.message.split(":")[0].replace("'", "&#x27;") in answer.text  # type: ignore[attr-defined]


def test_the_list_costs_as_many_queries_for_any_number_of_rows(
    many: list[Prediction], django_assert_max_num_queries: Any
) -> None:
    viewer = signed_in("viewer")
    viewer.get(LIST)
    query = {"known": "wrong", "range": "7d"}
    with django_assert_max_num_queries(12):
        assert viewer.get(LIST, query).status_code == 200
    with django_assert_max_num_queries(12):
        assert b"nothing new" in viewer.get(LIST, {"range": "7d"}).content


def test_a_whole_id_opens_its_prediction(many: list[Prediction]) -> None:
    answer = signed_in("viewer").get(LIST, {"text": f" {many[3].id} "})
    assert answer.headers["Location"] == reverse("dashboard:prediction", args=[many[3].id])


def test_what_is_shown_is_what_is_exported(many: list[Prediction]) -> None:
    viewer = signed_in("viewer")
    query = {"known": "wrong", "range": "7d"}
    answer = viewer.get(LIST, query)
    shown = {row.id for row in answer.context["found"].rows}
    assert shown
    for ending, address in answer.context["exports"]:
        if ending == "csv":
            lines = b"".join(viewer.get(address).streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert {UUID(line.split(",")[0]) for line in lines[1:]} == shown
    refused = client().get("/api/v1/exports/feedback.csv", {"label": "x"})
    assert refused.json()["error"]["code"] == "invalid_filter"


def test_a_prediction_shows_all_that_is_known_of_it(django_assert_max_num_queries: Any) -> None:
    register()
    row = make_prediction(at=NOW, text="a <b>bold</b> text", segment="web", n_unknown=2)
    label(row, "NEGATIVE", "NEUTRAL")
    viewer = signed_in("viewer")
    with django_assert_max_num_queries(20):
        page = viewer.get(reverse("dashboard:prediction", args=[row.id])).text
    for words in ("a &lt;b&gt;bold&lt;/b&gt; text", "0.060", "3.5 ms", "2 of them unknown", "r-1"):
        assert words in page
    assert page.index("<td>NEUTRAL") < page.index("<td>NEGATIVE")
    assert "Save" not in page
    assert viewer.get(reverse("dashboard:prediction", args=[uuid4()])).status_code == 404


def test_a_text_that_is_not_stored_is_said_to_be_so() -> None:
    row = make_prediction(at=NOW, text=None)
    viewer = signed_in("viewer")
    assert "not stored" in viewer.get(reverse("dashboard:prediction", args=[row.id])).text
    assert "not stored" in viewer.get(LIST).text


def test_an_answer_that_is_more_than_a_label_is_shown() -> None:
    register()
    answer = '{"entities":[{"word":"<Ann>","score":0.98765,"start":0}],"fills":[],"is_cut":true}'
    rows = [make_prediction(at=NOW, answer=kept) for kept in (answer, None)]
    viewer = signed_in("viewer")
    full, plain = (viewer.get(reverse("dashboard:prediction", args=[row.id])).text for row in rows)
    assert "word: &lt;Ann&gt;, score: 0.988, start: 0" in full
    assert "<dt>Is cut</dt>" in full
    assert "none</span>" in full
    assert "pr-answer" not in plain


@pytest.mark.parametrize("role", ROLES)
def test_whoever_may_give_feedback_labels_and_corrects(role: str) -> None:
    register()
    row = make_prediction(at=NOW)
    person = signed_in(role)
    address = reverse("dashboard:prediction", args=[row.id])
    answer = person.post(address, {"label": "NEGATIVE", "source": "delayed"}, follow=True)
    if role == "viewer":
        assert answer.status_code == 403
        assert not Feedback.objects.exists()
        return
    assert "NEGATIVE is recorded" in answer.text
    said = Feedback.objects.get()
    assert (said.label, said.source, said.key_id) == (
        "NEGATIVE",
        "delayed",
        f"user:{answer.context['user'].pk}",
    )
    assert role in answer.text
    corrected = person.post(address, {"label": "NEUTRAL", "source": "user"}, follow=True)
    assert "NEUTRAL is the label that counts" in corrected.text
    refused = person.post(address, {"label": "ANGRY", "source": "user"}, follow=True)
    assert "is no label of the version" in refused.text
    assert Feedback.objects.count() == 2


@pytest.mark.parametrize("role", ROLES)
def test_an_administrator_forgets_the_subject_after_being_asked(role: str) -> None:
    row = make_prediction(at=NOW, subject="5" * 64)
    other = make_prediction(at=NOW)
    person = signed_in(role)
    address = reverse("dashboard:prediction-forget", args=[row.id])
    is_offered = address in person.get(reverse("dashboard:prediction", args=[row.id])).text
    assert is_offered == (role == "admin")
    asked = person.get(address)
    if role != "admin":
        assert (asked.status_code, person.post(address).status_code) == (403, 403)
        return
    assert "1 predictions" in asked.text
    assert Prediction.objects.count() == 2
    person.post(address)
    assert [kept.id for kept in Prediction.objects.all()] == [other.id]
    missing = reverse("dashboard:prediction-forget", args=[other.id])
    assert person.get(missing).status_code == 404


def test_neighbours_are_the_nearest_of_the_same_version_within_a_day() -> None:
    one = make_prediction(at=NOW, embedding=embedding(1, 0, 0))
    near = make_prediction(at=NOW - timedelta(hours=2), embedding=embedding(0.9, 0.1, 0), text="n")
    far = make_prediction(at=NOW - timedelta(hours=3), embedding=embedding(-1, 0, 0))
    make_prediction(at=NOW - timedelta(hours=30), embedding=embedding(1, 0, 0))
    make_prediction(at=NOW, version=2, embedding=embedding(1, 0, 0))
    label(near, "NEUTRAL")
    found = load_neighbours(Exemplar.objects.get(pk=one.id))
    assert [each.id for each in found.items] == [near.id, far.id]
    assert found.n_compared == 2
    assert (found.items[0].known_label, found.items[0].is_kept) == ("NEUTRAL", True)
    assert found.items[0].similarity == pytest.approx(0.9 / np.hypot(0.9, 0.1), abs=1e-3)
    page = signed_in("viewer").get(reverse("dashboard:prediction", args=[one.id])).text
    assert str(near.id) in page


def test_similarities_are_cosines() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(50, 16)).astype("<f2")
    got = similarities(rows[0].tobytes(), [row.tobytes() for row in rows])
    wide = rows.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    assert got == pytest.approx(unit @ unit[0], abs=1e-4)
    assert similarities(embedding(0, 0), [embedding(1, 1)]).tolist() == [0.0]


def test_without_neighbours_the_page_says_why() -> None:
    one = make_prediction(at=NOW, embedding=b"")
    assert "Embeddings are not kept" in load_neighbours(Exemplar.objects.get(pk=one.id)).why_none
    Exemplar.objects.all().delete()
    assert "not in the sample" in load_neighbours(None).why_none
    alone = make_prediction(at=NOW, embedding=embedding(1, 2))
    assert "No other" in load_neighbours(Exemplar.objects.get(pk=alone.id)).why_none


def test_nobody_sees_predictions_without_the_scope() -> None:
    assert Client().get(LIST).status_code == 302
    person = make_person("viewer")
    person.groups.clear()
    made = Client()
    made.force_login(person)
    assert made.get(LIST).status_code == 403
