"""Asking for references, and what a version gets by itself."""

import shutil
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from inference.journal import ORIGIN
from inference.records import PINNED, PredictionRecord
from monitoring.errors import InvalidReference, ReferenceConflict, ReferenceNotFound, UnknownLabel
from monitoring.keeping import keep, load_position
from monitoring.models import Exemplar, Feedback, Prediction, Reference, ReferenceChunk
from monitoring.references import services, upkeep
from monitoring.references.queries import find, list_references, load_active
from monitoring.references.readers import Row
from monitoring.references.services import ensure_reference
from registry import queries as registry
from registry.errors import ModelNotFound, VersionNotFound
from registry.models import Event
from tests.monitoring.builders import register
from tests.monitoring.references.builders import (
    LABELS,
    LATER,
    MODEL,
    NOW,
    N,
    answers,
    run_all,
    texts,
    write_files,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _registered(settings) -> None:
    register()
    settings.BELLWETHER_REFERENCE_SIZE = 200
    settings.BELLWETHER_RESERVOIR_SIZE = 10


@pytest.fixture
def view():
    """The version's directory, empty."""
    folder = registry.load_version(MODEL, 1).view
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


def traffic(records: list[PredictionRecord]) -> UUID:
    journal = uuid4()
    assert load_position(journal) == ORIGIN
    keep(journal, ORIGIN, ORIGIN._replace(offset=1), records)
    return journal


def ready(now: datetime = NOW) -> Reference:
    row = services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=now)
    run_all()
    upkeep.advance(now=now)
    return find(MODEL, row.pk)


def only() -> Reference:
    return Reference.objects.get()


def test_a_model_a_version_or_a_label_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ModelNotFound):
        services.ask_with_texts("no/model", 1, texts(), actor="a", now=NOW)
    with pytest.raises(VersionNotFound):
        services.ask_with_texts(MODEL, 9, texts(), actor="a", now=NOW)
    with pytest.raises(InvalidReference, match="no live version"):
        services.ask_with_texts(MODEL, None, texts(), actor="a", now=NOW)
    with pytest.raises(UnknownLabel):
        services.ask_with_texts(MODEL, 1, texts(labels=["GREAT"]), actor="a", now=NOW)
    assert not Reference.objects.exists()


def test_a_note_is_bounded_and_printable() -> None:
    for note in ("x" * 501, "bell \x07"):
        with pytest.raises(InvalidReference, match="'note'"):
            services.ask_with_texts(MODEL, 1, texts(), actor="a", note=note, now=NOW)


def test_only_so_many_can_be_in_the_making() -> None:
    for _ in range(services.MOST_PENDING):
        services.ask_with_texts(MODEL, 1, texts(), actor="a", now=NOW)
    with pytest.raises(ReferenceConflict, match="cancel one"):
        services.ask_with_texts(MODEL, 1, texts(), actor="a", now=NOW)


def test_an_inactive_one_can_be_activated_again_and_that_is_audited() -> None:
    first, second = ready(), ready()
    again = services.activate(MODEL, first.pk, actor="bob", reason="the season", now=LATER)
    assert again.is_active
    assert not find(MODEL, second.pk).is_active
    event = Event.objects.filter(kind="rebaselined").order_by("-id")[0]
    assert (event.actor, event.reason) == ("bob", "the season")
    assert event.details["replaced"] == second.pk
    n_events = Event.objects.count()
    services.activate(MODEL, first.pk, actor="bob", now=LATER)
    assert Event.objects.count() == n_events


def test_only_a_ready_one_can_be_activated_and_only_an_unfinished_one_cancelled() -> None:
    done, waiting = ready(), services.ask_with_texts(MODEL, 1, texts(), actor="a", now=NOW)
    with pytest.raises(ReferenceConflict, match="is queued"):
        services.activate(MODEL, waiting.pk, actor="a", now=NOW)
    with pytest.raises(ReferenceConflict, match="is ready"):
        services.cancel(MODEL, done.pk)
    assert services.cancel(MODEL, waiting.pk).state == "cancelled"
    assert not ReferenceChunk.objects.exists()
    for act in (find, services.cancel):
        with pytest.raises(ReferenceNotFound):
            act(MODEL, done.pk + 100)
        with pytest.raises(ReferenceNotFound):
            act("other/model", done.pk)
    with pytest.raises(ReferenceNotFound):
        find(MODEL, 2**70)


def test_a_version_without_anything_collects_its_first_predictions() -> None:
    ensure_reference(MODEL, 1, NOW)
    row = only()
    assert (row.origin, row.state, row.n_wanted) == ("accepted", "collecting", 200)
    ensure_reference(MODEL, 1, NOW)
    assert only() == row


def test_nothing_is_collected_where_that_is_off(settings) -> None:
    settings.BELLWETHER_REFERENCE_SIZE = 0
    ensure_reference(MODEL, 1, NOW)
    assert not Reference.objects.exists()


def test_what_was_collected_becomes_the_reference() -> None:
    ensure_reference(MODEL, 1, NOW)
    records = answers(N)
    traffic(records[:150])
    ensure_reference(MODEL, 1, NOW)
    assert only().state == "collecting"
    traffic(records[150:])
    assert upkeep.has_due()
    ensure_reference(MODEL, 1, LATER)
    active = load_active(MODEL, 1)
    assert active is not None
    assert only().state == "ready"
    assert active.reference.sums.n == N  # Whole slots: also the forty that came after.
    assert active.reference.sums.seconds.sum() == N
    assert active.reference.sample is not None
    assert len(active.reference.sample) == 200
    assert list(active.reference.sample.texts) == [r.text for r in records[:200]]
    event = Event.objects.get(kind="rebaselined")
    assert (event.actor, event.details["origin"]) == ("first predictions", "accepted")


def test_what_was_collected_goes_back_to_a_reservoir_of_its_size() -> None:
    ensure_reference(MODEL, 1, NOW)
    traffic(answers(N))
    assert Exemplar.objects.filter(is_collected=True).count() == 200
    ensure_reference(MODEL, 1, LATER)
    assert not Exemplar.objects.filter(is_collected=True).exists()
    # Two hundred and forty seconds, in one slot.
    assert Exemplar.objects.count() == 10


def test_labels_that_came_back_meanwhile_count_as_truth() -> None:
    ensure_reference(MODEL, 1, NOW)
    records = answers(200)
    traffic(records)
    Feedback.objects.bulk_create(
        Feedback(
            prediction=Prediction.objects.get(pk=record.id),
            revision=1,
            label=LABELS[i % 3],
            source="audit",
            at=NOW,
        )
        for i, record in enumerate(records[:60])
    )
    ensure_reference(MODEL, 1, LATER)
    assert only().n_labelled == 60


def test_of_what_is_about_somebody_no_row_is_kept_in_a_reference() -> None:
    ensure_reference(MODEL, 1, NOW)
    theirs = answers(100, subject="a-hash", n_tokens=9)
    traffic(answers(100) + theirs)
    ensure_reference(MODEL, 1, LATER)
    active = load_active(MODEL, 1)
    assert active is not None
    assert active.reference.sample is not None
    assert (active.reference.sums.n, len(active.reference.sample)) == (200, 100)
    assert set(active.reference.sample.n_tokens.tolist()) == {5}
    assert only().summary["n_texts"] == 100


def test_a_reference_of_nothing_but_such_answers_has_no_rows() -> None:
    ensure_reference(MODEL, 1, NOW)
    traffic(answers(200, subject="a-hash"))
    ensure_reference(MODEL, 1, LATER)
    active = load_active(MODEL, 1)
    assert active is not None
    assert (active.reference.sums.n, active.reference.sample) == (200, None)


def test_too_few_predictions_that_are_left_make_no_reference() -> None:
    ensure_reference(MODEL, 1, NOW)
    traffic(answers(200))
    Exemplar.objects.filter(text="the text number 7").delete()
    ensure_reference(MODEL, 1, LATER)
    assert (only().state, only().error_code) == ("failed", "invalid_reference")
    assert "199 are left" in only().error_message
    assert not Exemplar.objects.filter(is_collected=True).exists()


def test_predictions_that_somebody_pinned_are_not_collected() -> None:
    ensure_reference(MODEL, 1, NOW)
    traffic(answers(N, route=PINNED))
    assert only().n_done == 0


def test_a_collection_that_was_cancelled_does_not_start_again_by_itself() -> None:
    ensure_reference(MODEL, 1, NOW)
    traffic(answers(100))
    services.cancel(MODEL, only().pk)
    assert Exemplar.objects.count() <= 10
    ensure_reference(MODEL, 1, NOW)
    assert only().state == "cancelled"


def test_one_collection_at_a_time_of_a_bounded_size() -> None:
    services.ask_with_accepted(MODEL, 1, 300, actor="ada", now=NOW)
    with pytest.raises(ReferenceConflict, match="collects predictions"):
        services.ask_with_accepted(MODEL, 1, 300, actor="ada", now=NOW)
    for n in (0, 199, 20_001):
        with pytest.raises(InvalidReference, match="200 to 20000"):
            services.ask_with_accepted(MODEL, 1, n, actor="ada", now=NOW)


def test_what_a_version_gets_by_itself_replaces_nothing_that_was_asked_for() -> None:
    ensure_reference(MODEL, 1, NOW)
    asked = ready()
    traffic(answers(N))
    upkeep.advance(now=LATER)
    collected = Reference.objects.get(origin="accepted")
    assert (collected.state, collected.is_active) == ("ready", False)
    assert find(MODEL, asked.pk).is_active


def test_one_that_was_asked_for_of_coming_predictions_replaces_the_active_one() -> None:
    before = ready()
    row = services.ask_with_accepted(MODEL, 1, 200, actor="ada", note="new season", now=NOW)
    traffic(answers(N))
    upkeep.advance(now=LATER)
    assert find(MODEL, row.pk).is_active
    assert not find(MODEL, before.pk).is_active


def test_shipped_statistics_are_taken_first(view: Path) -> None:
    write_files(view)
    ensure_reference(MODEL, 1, NOW)
    row = only()
    assert (row.origin, row.state, row.is_active, row.n) == ("shipped", "ready", True, N)
    assert Event.objects.get(kind="rebaselined").actor == "the version's files"
    ensure_reference(MODEL, 1, NOW)
    assert only() == row


def test_shipped_statistics_that_are_no_good_fail_and_predictions_are_collected(
    view: Path,
) -> None:
    write_files(view, facts={"schema_version": 1})
    ensure_reference(MODEL, 1, NOW)
    collecting, shipped = list_references(MODEL)
    assert (shipped.state, shipped.error_code) == ("failed", "invalid_reference")
    assert "schema_version" in shipped.error_message
    assert collecting.state == "collecting"
    ensure_reference(MODEL, 1, NOW)
    assert Reference.objects.count() == 2


def test_shipped_statistics_can_be_asked_for_where_there_are_some(view: Path) -> None:
    with pytest.raises(InvalidReference, match=r"no reference\.json"):
        services.ask_with_shipped(MODEL, 1, actor="ada", now=NOW)
    write_files(view)
    row = services.ask_with_shipped(MODEL, 1, actor="ada", now=NOW)
    assert upkeep.advance(now=LATER) == 1
    assert find(MODEL, row.pk).is_active


def test_every_version_has_its_own() -> None:
    register(number=2)
    ready()
    assert load_active(MODEL, 2) is None
    assert [row.version for row in list_references(MODEL, 2)] == []
    ensure_reference(MODEL, 2, NOW)
    assert {row.version for row in list_references(MODEL)} == {1, 2}


def test_a_reference_that_is_there_costs_one_query(django_assert_num_queries) -> None:
    ready()
    with django_assert_num_queries(1):
        ensure_reference(MODEL, 1, NOW)
    load_active(MODEL, 1)
    with django_assert_num_queries(1):
        load_active(MODEL, 1)


def test_a_row_that_names_labels_by_number_is_as_good_as_by_name() -> None:
    rows = [Row(f"the text number {i}", i % 3, i) for i in range(N)]
    services.ask_with_texts(MODEL, 1, rows, actor="a", now=NOW)
    first = ReferenceChunk.objects.order_by("index")[0]
    assert [label for _, label in first.inputs[:3]] == list(LABELS)
