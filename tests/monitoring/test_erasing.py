"""A deleted model leaves nothing behind, and takes nothing of another model with it."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.utils import timezone

from monitoring import chores
from monitoring.erasing import COUNTED, DATED, erase_deleted, is_due
from monitoring.evaluating.defaults import ensure_defaults
from monitoring.evaluating.evaluator import evaluate
from monitoring.models import (
    AuditPlan,
    ConfusionCell,
    Evaluation,
    Exemplar,
    Feedback,
    Monitor,
    Prediction,
    PredictionCount,
    Silence,
    TrafficSum,
)
from monitoring.recounts import recount
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem
from registry import services
from registry.models import Event
from registry.queries import load_deletions
from tests.monitoring.builders import MODEL, labels_of, make_prediction
from tests.monitoring.evaluating.builders import go_live

pytestmark = pytest.mark.django_db
OTHER = "acme/other"
TABLES = [table for table, _ in DATED] + [*COUNTED, AuditPlan]


def fill(model: str, n: int = 3) -> list[Prediction]:
    """A live model with predictions, a label, monitors and an answer of one."""
    now = timezone.now()
    go_live(model=model)
    made = [make_prediction(at=now, model=model) for _ in range(n)]
    item = FeedbackItem(made[0].id, "NEGATIVE", "delayed")
    give_feedback([item], key_id="k", now=now, load_labels=labels_of, wait_s=0)
    ensure_defaults(now)
    evaluate(Monitor.objects.get(model=model, name="errors").pk, now)
    Silence.objects.create(model=model, until_at=now, created_at=now, created_by="alice")
    return made


def delete(model: str = MODEL) -> None:
    services.delete_model(model, actor="alice", reason="no longer needed", force=True)


def n_rows(model: str) -> dict[str, int]:
    counted = {table.__name__: table.objects.filter(model=model).count() for table in TABLES}
    return {name: n for name, n in counted.items() if n}


def test_every_table_that_names_a_model_is_erased() -> None:
    known = {table.__name__ for table in TABLES}
    named = {
        table.__name__
        for table in apps.get_app_config("monitoring").get_models()
        if any(field.name == "model" for field in table._meta.get_fields())
    }
    assert named == known


def test_a_deleted_model_leaves_nothing_but_its_events() -> None:
    fill(MODEL)
    delete()
    assert len(n_rows(MODEL)) >= 8
    assert erase_deleted(timezone.now()) > 0
    assert n_rows(MODEL) == {}
    assert not Feedback.objects.exists()
    assert Event.objects.filter(model_name=MODEL).exists()


def test_another_model_keeps_every_row() -> None:
    fill(MODEL)
    fill(OTHER)
    before = n_rows(OTHER)
    delete()
    erase_deleted(timezone.now())
    assert n_rows(OTHER) == before
    assert Feedback.objects.count() == 1


def test_a_model_of_the_same_name_keeps_its_own_and_counts_add_up() -> None:
    fill(MODEL)
    delete()
    younger = fill(MODEL, n=2)
    now = timezone.now()
    erase_deleted(now)
    # It went live before its predecessor's monitors were gone: the next round makes its own.
    assert ensure_defaults(now) > 0
    assert set(Prediction.objects.values_list("id", flat=True)) == {row.id for row in younger}
    assert set(Exemplar.objects.values_list("prediction", flat=True)) <= {r.id for r in younger}
    assert Evaluation.objects.filter(model=MODEL).count() == 1
    assert recount(MODEL, now.date(), now=now).differences == ()
    assert sum(row.n for row in PredictionCount.objects.filter(grain="day")) == 2
    assert sum(row.n for row in ConfusionCell.objects.filter(grain="day", clock="arrived")) == 1


def test_it_is_due_until_nothing_is_left() -> None:
    fill(MODEL)
    assert not is_due(timezone.now())
    delete()
    assert is_due(timezone.now())
    erase_deleted(timezone.now())
    assert not is_due(timezone.now())


def test_what_comes_late_is_found_by_the_next_look() -> None:
    before = timezone.now()
    fill(MODEL)
    delete()
    erase_deleted(timezone.now())
    make_prediction(at=before, model=MODEL)
    assert is_due(timezone.now())
    erase_deleted(timezone.now())
    assert n_rows(MODEL) == {}


def test_a_round_ends_in_time_and_the_next_goes_on() -> None:
    fill(MODEL)
    delete()
    assert erase_deleted(timezone.now(), longest_s=0) == 0
    assert is_due(timezone.now())


def test_the_scheduler_looks_for_it(django_assert_max_num_queries) -> None:
    assert any(chore.is_due is is_due for chore in chores.CHORES)
    with django_assert_max_num_queries(2):
        is_due(timezone.now())


def test_deletions_are_told_once_a_model_with_the_last_time() -> None:
    for _ in range(2):
        go_live()
        delete()
    (told,) = load_deletions()
    assert (told.model, told.is_again) == (MODEL, False)
    assert told.at == Event.objects.filter(kind="deleted").first().at
    assert load_deletions(timezone.now() + timedelta(minutes=1)) == ()
    go_live()
    assert load_deletions()[0].is_again


def test_sums_of_the_deleted_model_go() -> None:
    fill(MODEL)
    assert TrafficSum.objects.exists()
    delete()
    erase_deleted(timezone.now())
    assert not TrafficSum.objects.exists()
