"""Labels join predictions once, may be revised, and move exactly the right cells."""

import threading
import time
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from django.db import connection

from inference.journal import Journal
from monitoring.errors import InvalidFeedback, PredictionNotFound, UnknownLabel
from monitoring.models import ConfusionCell, Feedback, Prediction
from monitoring.recorder import JournalWriter
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem, Outcome, parse_item, parse_items
from registry.errors import VersionNotFound
from tests.monitoring.builders import (
    NOW,
    day_cells,
    labels_of,
    make_prediction,
    make_record,
    uuid7,
)


def give(id: UUID, label: str, source: str | None = None, **options):  # type: ignore[no-untyped-def]
    options = {"key_id": "k", "now": NOW, "load_labels": labels_of} | options
    [outcome] = give_feedback([FeedbackItem(id, label, source)], **options)
    return outcome


@pytest.mark.django_db
def test_a_first_label_is_recorded_and_counted_by_both_clocks() -> None:
    prediction = make_prediction(at=NOW - timedelta(days=2))
    outcome = give(prediction.id, "NEGATIVE")
    assert outcome == Outcome(
        status="recorded",
        prediction_id=prediction.id,
        predicted_label="POSITIVE",
        correct_label="NEGATIVE",
        source="user",
        revision=1,
        at=NOW,
    )
    assert day_cells("predicted") == day_cells("arrived") == {("NEGATIVE", "POSITIVE"): 1}
    days = {cell.clock: cell.bucket.day for cell in ConfusionCell.objects.filter(grain="day")}
    assert days == {"predicted": 19, "arrived": 21}
    assert ConfusionCell.objects.count() == 6


@pytest.mark.django_db
def test_a_repeated_feedback_changes_nothing() -> None:
    prediction = make_prediction()
    first = give(prediction.id, "NEGATIVE", "audit")
    for source in (None, "audit"):
        again = give(prediction.id, "NEGATIVE", source, now=NOW + timedelta(hours=3))
        assert again.status == "unchanged"
        assert (again.revision, again.at, again.source) == (1, first.at, "audit")
    assert Feedback.objects.count() == 1
    assert day_cells() == {("NEGATIVE", "POSITIVE"): 1}


@pytest.mark.django_db
def test_another_label_is_a_revision_and_the_only_one_that_counts() -> None:
    prediction = make_prediction()
    later = NOW + timedelta(days=1)
    give(prediction.id, "NEGATIVE")
    outcome = give(prediction.id, "POSITIVE", now=later)
    assert (outcome.status, outcome.revision) == ("revised", 2)
    assert day_cells("predicted") == day_cells("arrived") == {("POSITIVE", "POSITIVE"): 1}
    arrived = ConfusionCell.objects.filter(clock="arrived", grain="hour", n__gt=0)
    assert [cell.bucket for cell in arrived] == [later.replace(minute=0)]
    labels = Feedback.objects.order_by("revision").values_list("label", flat=True)
    assert list(labels) == ["NEGATIVE", "POSITIVE"]


@pytest.mark.django_db
def test_going_back_to_an_earlier_label_is_a_revision_too() -> None:
    prediction = make_prediction()
    for label in ("NEGATIVE", "POSITIVE", "NEGATIVE"):
        give(prediction.id, label)
    assert Feedback.objects.count() == 3
    assert day_cells() == {("NEGATIVE", "POSITIVE"): 1}


@pytest.mark.django_db
def test_another_source_for_the_same_label_moves_the_cell_to_it() -> None:
    prediction = make_prediction()
    give(prediction.id, "NEGATIVE")
    assert give(prediction.id, "NEGATIVE", "audit").status == "revised"
    sources = ConfusionCell.objects.filter(grain="day", clock="predicted", n=1)
    assert [cell.source for cell in sources] == ["audit"]


@pytest.mark.django_db
def test_an_unknown_label_is_refused_with_the_right_spelling() -> None:
    prediction = make_prediction()
    error = give(prediction.id, "negative ")
    assert isinstance(error, UnknownLabel)
    assert "did you mean 'NEGATIVE'?" in error.message
    assert error.details["allowed"] == ["NEGATIVE", "NEUTRAL", "POSITIVE"]
    assert Feedback.objects.count() == ConfusionCell.objects.count() == 0


@pytest.mark.django_db
def test_a_version_that_left_the_registry_still_takes_the_labels_it_scored() -> None:
    def gone(model: str, number: int) -> tuple[str, ...]:
        raise VersionNotFound("gone")

    prediction = make_prediction(scores={"A": 0.2, "B": 0.8}, label="B")
    assert give(prediction.id, "A", load_labels=gone).status == "recorded"
    assert isinstance(give(prediction.id, "NEUTRAL", load_labels=gone), UnknownLabel)


@pytest.mark.django_db
def test_an_old_unknown_id_is_not_waited_for() -> None:
    for id in (uuid4(), uuid7((NOW - timedelta(minutes=1)).timestamp())):
        started = time.monotonic()
        assert isinstance(give(id, "NEUTRAL"), PredictionNotFound)
        assert time.monotonic() - started < 1


@pytest.mark.django_db
def test_a_recent_unknown_id_is_waited_for_at_most_so_long() -> None:
    started = time.monotonic()
    assert isinstance(give(uuid7(NOW.timestamp()), "NEUTRAL", wait_s=0.2), PredictionNotFound)
    assert 0.2 <= time.monotonic() - started < 1.5


@pytest.mark.django_db(transaction=True)
def test_feedback_right_after_the_prediction_works(journal: Journal) -> None:
    writer = JournalWriter(journal)
    writer.start()
    try:
        for _ in range(5):
            record = make_record(at=NOW.timestamp())
            writer.record([record])
            assert give(record.id, "NEUTRAL").status == "recorded"
    finally:
        writer.stop()


@pytest.mark.django_db
def test_in_a_list_an_error_leaves_the_others_alone() -> None:
    one, two = make_prediction(), make_prediction()
    items = [
        FeedbackItem(one.id, "NEGATIVE", None),
        FeedbackItem(uuid4(), "NEGATIVE", None),
        FeedbackItem(two.id, "FURIOUS", None),
        FeedbackItem(one.id, "NEGATIVE", None),
        FeedbackItem(one.id, "NEUTRAL", None),
        FeedbackItem(two.id, "POSITIVE", None),
    ]
    outcomes = give_feedback(items, key_id="k", now=NOW, load_labels=labels_of)
    shown = [getattr(outcome, "status", type(outcome).__name__) for outcome in outcomes]
    assert shown == [
        "recorded",
        "PredictionNotFound",
        "UnknownLabel",
        "unchanged",
        "revised",
        "recorded",
    ]
    assert day_cells() == {("NEUTRAL", "POSITIVE"): 1, ("POSITIVE", "POSITIVE"): 1}


@pytest.mark.django_db
def test_no_items_are_no_work() -> None:
    assert give_feedback([], key_id="k", now=NOW, load_labels=labels_of) == []


@pytest.mark.django_db(transaction=True)
def test_labels_that_race_for_one_prediction_count_once() -> None:
    predictions = [make_prediction() for _ in range(3)]
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def race(label: str) -> None:
        try:
            start.wait(10)
            for prediction in predictions:
                give(prediction.id, label)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    labels = ["NEGATIVE", "NEGATIVE", "NEUTRAL", "POSITIVE"]
    threads = [threading.Thread(target=race, args=(label,)) for label in labels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    for clock in ("predicted", "arrived"):
        assert sum(day_cells(clock).values()) == len(predictions)
    for prediction in predictions:
        revisions = list(prediction.feedback.order_by("revision").values_list("revision", "label"))
        assert [number for number, _ in revisions] == list(range(1, len(revisions) + 1))
        assert all(a[1] != b[1] for a, b in pairwise(revisions))


@pytest.mark.django_db
def test_feedback_goes_with_its_prediction() -> None:
    prediction = make_prediction()
    give(prediction.id, "NEGATIVE")
    Prediction.objects.all().delete()
    assert Feedback.objects.count() == 0


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (None, ""),
        ([], ""),
        ("text", ""),
        ({}, "prediction_id"),
        ({"prediction_id": 7, "correct_label": "A"}, "prediction_id"),
        ({"prediction_id": "not-an-id", "correct_label": "A"}, "prediction_id"),
        ({"prediction_id": "x" * 10_000, "correct_label": "A"}, "prediction_id"),
        ({"prediction_id": str(uuid4())}, "correct_label"),
        ({"prediction_id": str(uuid4()), "correct_label": ""}, "correct_label"),
        ({"prediction_id": str(uuid4()), "correct_label": 1}, "correct_label"),
        ({"prediction_id": str(uuid4()), "correct_label": "x" * 257}, "correct_label"),
        ({"prediction_id": str(uuid4()), "correct_label": "A", "source": "me"}, "source"),
        ({"prediction_id": str(uuid4()), "correct_label": "A", "source": []}, "source"),
        ({"prediction_id": str(uuid4()), "correct_label": "A", "score": 1}, "score"),
    ],
)
def test_a_misshapen_item_names_its_field(raw: object, field: str) -> None:
    with pytest.raises(InvalidFeedback) as refused:
        parse_item(raw)
    assert refused.value.details["field"] == field
    assert len(refused.value.message) < 300


def test_a_list_may_be_neither_empty_nor_endless() -> None:
    item = {"prediction_id": str(uuid4()), "correct_label": "A"}
    assert len(parse_items([item] * 1000)) == 1000
    for n in (0, 1001):
        with pytest.raises(InvalidFeedback, match=f"this one {n}"):
            parse_items([item] * n)


@pytest.mark.django_db
def test_an_answer_that_is_no_label_is_right_or_wrong_as_a_whole() -> None:
    scores = {"answer": 0.9, "no_answer": 0.1}
    rows = [
        make_prediction(task="question-answering", label="answer", scores=scores) for _ in range(3)
    ]
    first = give(rows[0].id, "right")
    assert (first.status, first.predicted_label, first.correct_label) == (
        "recorded",
        "answer",
        "answer",
    )
    assert give(rows[0].id, "right").status == "unchanged"
    assert give(rows[1].id, "wrong").correct_label == "wrong"
    assert give(rows[2].id, "wrong").status == "recorded"
    assert give(rows[2].id, "right").status == "revised"
    assert day_cells() == {("answer", "answer"): 2, ("wrong", "answer"): 1}


@pytest.mark.django_db
@pytest.mark.parametrize("task", ["token-classification", "question-answering", "summarization"])
@pytest.mark.parametrize("said", ["Ada Lovelace", "entities", "Right", "NEGATIVE"])
def test_anything_else_said_of_it_is_refused_with_what_to_say(task: str, said: str) -> None:
    row = make_prediction(task=task, label="entities", scores={"entities": 0.9})
    error = give(row.id, said)
    assert isinstance(error, UnknownLabel)
    assert error.details == {
        "field": "correct_label",
        "prediction_id": str(row.id),
        "allowed": ["right", "wrong"],
    }
    assert "'right' or 'wrong'" in error.message
    assert task in error.message
    assert said not in error.message
    assert not Feedback.objects.exists()


@pytest.mark.django_db
def test_a_text_as_the_truth_is_refused_with_what_to_say() -> None:
    with pytest.raises(InvalidFeedback, match="'right' or 'wrong'"):
        parse_item({"prediction_id": str(uuid4()), "correct_label": "A summary. " * 50})


@pytest.mark.django_db
def test_of_zero_shot_predictions_what_the_caller_asked_about_may_be_true() -> None:
    scores = {"a film": 0.7, "a dog": 0.3}
    row = make_prediction(task="zero-shot-classification", label="a film", scores=scores)
    assert give(row.id, "a dog").status == "recorded"
    assert give(row.id, "POSITIVE").details["allowed"] == ["a dog", "a film"]
    assert day_cells() == {("a dog", "a film"): 1}
