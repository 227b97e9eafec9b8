"""Fresh predictions are drawn in their own transaction, within the plan, and labels settle them."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inference.journal import ORIGIN
from inference.records import PredictionRecord
from monitoring.counters import amounts_of, weighed
from monitoring.keeping import keep, load_position
from monitoring.labelling import asking
from monitoring.labelling.answers import skip
from monitoring.labelling.asking import MOST_OPEN, OPEN_FOR, ask
from monitoring.labelling.plans import (
    FIRST_GUESS,
    RATED_EVERY,
    change_plan,
    forget_plans,
    load_plan,
    take_plan,
)
from monitoring.labelling.queue import load_queue
from monitoring.models import AuditItem, AuditPlan, AuditState, ConfusionCell, Feedback, Prediction
from monitoring.recounts import recount, repair
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem
from tests.monitoring.builders import MODEL, NOW, labels_of, make_record, register

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def keep_all(records: list[PredictionRecord]) -> list[Prediction]:
    journal = uuid4()
    assert load_position(journal) == ORIGIN
    keep(journal, ORIGIN, ORIGIN._replace(offset=1), records)
    return list(Prediction.objects.filter(id__in=[record.id for record in records]))


def predict(n: int, *, at: datetime = NOW, **changes: object) -> list[Prediction]:
    return keep_all([make_record(at=at.timestamp(), **changes) for _ in range(n)])


def open_item(
    *,
    probability: float = 0.25,
    uncertainty: float = 0.4,
    at: datetime = NOW,
    **changes: object,
) -> AuditItem:
    """A prediction in the queue, whatever the draw says."""
    [row] = predict(1, at=at, **changes)
    AuditItem.objects.filter(pk=row.pk).delete()
    return AuditItem.objects.create(
        prediction=row,
        model=row.model,
        version=row.version,
        at=row.at,
        probability=probability,
        uncertainty=uncertainty,
    )


def label(id: UUID, correct: str, source: str | None = "audit", now: datetime = NOW) -> str:
    item = FeedbackItem(id, correct, source)
    [outcome] = give_feedback([item], key_id="k", now=now, load_labels=labels_of)
    return outcome.status  # type: ignore[union-attr]


def test_a_plan_s_rate_follows_the_traffic() -> None:
    assert take_plan(MODEL, 1, now=NOW).rates.rate == 20 / FIRST_GUESS
    predict(200, at=NOW - timedelta(minutes=30))
    later = take_plan(MODEL, 1, now=NOW + RATED_EVERY)
    assert later.rates.rate == 20 / 200
    predict(100, at=NOW + timedelta(minutes=8))
    busier = take_plan(MODEL, 1, now=NOW + 2 * RATED_EVERY)
    assert busier.rates.rate == 20 / 1200  # a hundred in five minutes


def test_a_surprising_burst_is_rated_before_its_time() -> None:
    AuditPlan.objects.create(model=MODEL, rate=0.4, rated_at=NOW)
    predict(90)
    assert take_plan(MODEL, 11, now=NOW).rates.rate == 0.4
    assert take_plan(MODEL, 1, now=NOW).rates.rate < 0.1


def test_a_plan_is_read_once_in_five_seconds() -> None:
    take_plan(MODEL, 1, now=NOW)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        take_plan(MODEL, 10, now=NOW)
    assert len(captured) == 0


def test_about_as_many_are_asked_as_the_plan_says() -> None:
    change_plan(MODEL, {"per_hour": 300})
    predict(500)
    # The first rate is for 1,000 an hour: 0.3. Five standard errors of 150: the ids are random.
    assert 98 <= AuditItem.objects.count() <= 202


def test_none_are_asked_where_the_plan_says_so_and_pinned_ones_never() -> None:
    change_plan(MODEL, {"per_hour": 0})
    predict(200)
    assert AuditItem.objects.count() == 0
    change_plan(MODEL, {"per_hour": 1000})
    predict(50, route="pinned")
    assert AuditItem.objects.count() == 0


def test_the_default_comes_from_the_setting(settings) -> None:  # type: ignore[no-untyped-def]
    settings.BELLWETHER_AUDIT_PER_HOUR = 7
    assert (load_plan(MODEL).per_hour, load_plan(MODEL).is_default) == (7, True)
    change_plan(MODEL, {"uncertain_share": 0.2})
    assert (load_plan(MODEL).per_hour, load_plan(MODEL).is_default) == (7, True)
    change_plan(MODEL, {"per_hour": 3})
    assert (load_plan(MODEL).per_hour, load_plan(MODEL).is_default) == (3, False)
    change_plan(MODEL, {"per_hour": None})
    assert load_plan(MODEL).is_default


def test_items_roll_back_with_their_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    change_plan(MODEL, {"per_hour": 1000})
    monkeypatch.setattr("monitoring.keeping.keep_shadows", _explode)
    with pytest.raises(RuntimeError):
        predict(50)
    assert Prediction.objects.count() == AuditItem.objects.count() == 0


def _explode(records: object) -> None:
    raise RuntimeError("the transaction is over")


def test_at_most_so_many_stay_open_and_the_oldest_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_OPEN", 10)
    change_plan(MODEL, {"per_hour": 1000})
    for minute in range(3):
        predict(20, at=NOW + timedelta(minutes=minute))
    opened = AuditItem.objects.filter(state=AuditState.OPEN)
    expired = AuditItem.objects.filter(state=AuditState.EXPIRED)
    assert opened.count() == 10
    assert max(row.at for row in expired) <= min(row.at for row in opened)
    assert MOST_OPEN == 500


def test_what_waited_too_long_expires() -> None:
    old = open_item(at=NOW - OPEN_FOR - timedelta(minutes=1))
    change_plan(MODEL, {"per_hour": 1000})
    fresh = predict(40)
    assert ask([], now=NOW) == 0
    assert AuditItem.objects.filter(pk__in=[row.pk for row in fresh], state="open").exists()
    old.refresh_from_db()
    assert old.state == AuditState.EXPIRED


def test_an_audit_s_label_weighs_the_inverse_of_its_probability_and_settles_it() -> None:
    item = open_item(probability=0.25)
    label(item.pk, "NEGATIVE")
    assert Feedback.objects.get().weight == 4000
    item.refresh_from_db()
    assert (item.state, item.settled_at) == (AuditState.LABELLED, NOW)
    cells = ConfusionCell.objects.values_list("n", "weight", "weight_squared").distinct()
    assert list(cells) == [(1, 4000, 16_000_000)]


def test_other_labels_weigh_one_and_leave_the_question_open() -> None:
    item = open_item(probability=0.25)
    for source in ("user", "delayed"):
        label(item.pk, "NEGATIVE", source)
    assert set(Feedback.objects.values_list("weight", flat=True)) == {1000}
    item.refresh_from_db()
    assert item.state == AuditState.OPEN
    [other] = predict(1, at=NOW - timedelta(days=1))
    AuditItem.objects.filter(pk=other.pk).delete()
    label(other.pk, "NEGATIVE")
    assert other.feedback.get().weight == 1000


def test_an_expired_item_keeps_its_weight() -> None:
    item = open_item(probability=0.005)
    AuditItem.objects.update(state=AuditState.EXPIRED)
    label(item.pk, "NEGATIVE")
    assert Feedback.objects.get().weight == 200_000


def test_a_correction_takes_away_exactly_what_was_added() -> None:
    item = open_item(probability=1 / 3)
    for correct, source in (("NEGATIVE", "audit"), ("POSITIVE", "audit"), ("NEUTRAL", "user")):
        label(item.pk, correct, source)
    left = ConfusionCell.objects.exclude(n=0, weight=0, weight_squared=0)
    assert {(row.actual, row.source, row.n, row.weight, row.weight_squared) for row in left} == {
        ("NEUTRAL", "user", 1, 1000, 1_000_000)
    }


def test_recounting_finds_and_repairs_weights() -> None:
    day = NOW.date()
    item = open_item(probability=0.1)
    label(item.pk, "NEGATIVE")
    assert recount(MODEL, day, now=NOW).differences == ()
    ConfusionCell.objects.filter(grain="hour").update(weight=1)
    found = recount(MODEL, day, now=NOW)
    assert {d.missing for d in found.differences} == {(0, 9999, 0)}
    repair(found)
    assert recount(MODEL, day, now=NOW).differences == ()


def test_labels_of_one_weight_are_summed_before_they_are_written() -> None:
    item = open_item()
    label(item.pk, "NEGATIVE")
    row = Feedback.objects.get()
    cells = dict.fromkeys(weighed(item.prediction, row), 3)
    assert set(amounts_of(cells).values()) == {(3, 12_000, 48_000_000)}


def test_the_queue_begins_with_what_says_most() -> None:
    register()
    sure, unsure = open_item(uncertainty=0.1), open_item(uncertainty=0.9)
    rare = open_item(label="NEUTRAL", uncertainty=0.5)
    common = open_item(label="POSITIVE", uncertainty=0.54)
    queue = load_queue(MODEL, now=NOW)
    shown = [item.prediction_id for item in queue.items]
    assert shown == [unsure.pk, rare.pk, common.pk, sure.pk]
    page = load_queue(MODEL, now=NOW, offset=1, limit=2)
    assert [item.prediction_id for item in page.items] == shown[1:3]
    assert page.n_open == 4


def test_the_queue_costs_the_same_however_long_it_is() -> None:
    register()
    open_item()
    with CaptureQueriesContext(connection) as short:
        load_queue(MODEL, now=NOW)
    for _ in range(20):
        open_item()
    with CaptureQueriesContext(connection) as long:
        load_queue(MODEL, now=NOW)
    assert len(short) == len(long) <= 5


def test_labelled_and_skipped_items_leave_the_queue() -> None:
    register()
    one, two, three = open_item(), open_item(), open_item()
    label(one.pk, "NEGATIVE")
    skip(two.pk, now=NOW)
    skip(two.pk, now=NOW)
    assert [item.prediction_id for item in load_queue(MODEL, now=NOW).items] == [three.pk]
    label(three.pk, "NEGATIVE", "user")
    assert load_queue(MODEL, now=NOW).items[0].known_label == "NEGATIVE"


def test_items_go_with_their_predictions() -> None:
    item = open_item()
    Prediction.objects.filter(pk=item.pk).delete()
    assert AuditItem.objects.count() == 0


def test_a_cached_plan_survives_its_row() -> None:
    take_plan(MODEL, 1, now=NOW)
    AuditPlan.objects.all().delete()
    assert take_plan(MODEL, 1, now=NOW + RATED_EVERY).rates.rate > 0
    forget_plans()
    assert take_plan(MODEL, 1, now=NOW).rates.rate > 0
