"""Whoever asks to be forgotten leaves no row behind, and counters that still add up."""

import pytest
from django.conf import settings
from django.utils import timezone

from access.scopes import Scope
from inference.describing import Describer
from monitoring.forgetting import forget
from monitoring.models import AuditItem, Exemplar, Feedback, Prediction
from monitoring.recounts import recount
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem
from registry.models import Event
from tests.monitoring.builders import MODEL, client, labels_of, make_prediction, register

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]


@pytest.fixture
def people() -> dict[str, list[Prediction]]:
    """Three predictions about ann, one of them labelled, and one about bob, labelled too."""
    register()
    now = timezone.now()
    describer = Describer(secret=settings.SECRET_KEY)
    made = {
        name: [make_prediction(at=now, subject=describer.subject(name)) for _ in range(n)]
        for name, n in (("ann", 3), ("bob", 1))
    }
    items = [
        FeedbackItem(made["ann"][0].id, "NEGATIVE", "delayed"),
        FeedbackItem(made["bob"][0].id, "POSITIVE", "user"),
    ]
    give_feedback(items, key_id="k", now=now, load_labels=labels_of, wait_s=0)
    return made


def test_everything_about_the_subject_goes_and_nothing_about_others(people):
    gone = forget("ann", actor="alice")
    assert gone.n_predictions == 3
    assert gone.n_exemplars == 3
    assert [row.id for row in Prediction.objects.all()] == [people["bob"][0].id]
    assert Feedback.objects.count() == 1
    assert not Exemplar.objects.filter(prediction__in=[row.id for row in people["ann"]]).exists()
    assert not AuditItem.objects.filter(prediction__in=people["ann"]).exists()


def test_counters_equal_a_recount_afterwards(people):
    forget("ann", actor="alice")
    now = timezone.now()
    result = recount(MODEL, now.date(), now=now)
    assert (result.n_predictions, result.n_labelled) == (1, 1)
    assert result.differences == ()


def test_the_audit_log_says_how_much_and_not_whose(people):
    forget("ann", actor="alice")
    event = Event.objects.get(kind="erased")
    assert event.details == {"n_predictions": 3, "n_exemplars": 3}
    assert "ann" not in str(event.details)


def test_forgetting_nobody_changes_nothing_and_tells_nobody(people):
    assert forget("carl", actor="alice").n_predictions == 0
    assert Prediction.objects.count() == 4
    assert not Event.objects.filter(kind="erased").exists()


def test_forgetting_over_http_needs_the_scope_admin(people):
    body = {"subject": "ann"}
    assert client(Scope.READ).post("/api/v1/forget", body, format="json").status_code == 403
    answer = client(Scope.ADMIN).post("/api/v1/forget", body, format="json")
    assert answer.json() == {"n_predictions": 3, "n_exemplars": 3}
    refused = client(Scope.ADMIN).post("/api/v1/forget", {"subject": ""}, format="json")
    assert refused.status_code == 400 or refused.status_code == 422
