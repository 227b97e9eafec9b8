"""The admin shows facts and lets nobody change them."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring.models import Feedback, Prediction
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem
from tests.monitoring.builders import labels_of, make_prediction

pytestmark = pytest.mark.django_db


@pytest.fixture
def labelled() -> Prediction:
    row = make_prediction(text="long " * 100)
    item = FeedbackItem(row.id, "NEGATIVE", "audit")
    give_feedback([item], key_id="k", now=timezone.now(), load_labels=labels_of)
    return row


def test_predictions_and_feedback_are_listed_and_shown(
    admin_client: Client, labelled: Prediction
) -> None:
    said = labelled.feedback.get()
    listed = admin_client.get(reverse("admin:monitoring_prediction_changelist"))
    assert str(labelled.id) in listed.text
    assert "long " * 100 not in listed.text
    pages = [
        reverse("admin:monitoring_prediction_change", args=[labelled.id]),
        reverse("admin:monitoring_feedback_changelist"),
        reverse("admin:monitoring_feedback_change", args=[said.id]),
    ]
    for page in pages:
        answer = admin_client.get(page)
        assert answer.status_code == 200
        assert "NEGATIVE" in answer.text


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("word", ["POSITIVE", "acme/mood", "no-uuid", "a\x00b"])
def test_search_takes_any_word(admin_client: Client, labelled: Prediction, word: str) -> None:
    for name in ("prediction", "feedback"):
        page = reverse(f"admin:monitoring_{name}_changelist")
        assert admin_client.get(page, {"q": word}).status_code == 200


def test_a_prediction_is_found_by_its_id(admin_client: Client, labelled: Prediction) -> None:
    other = make_prediction()
    page = reverse("admin:monitoring_prediction_changelist")
    found = admin_client.get(page, {"q": str(labelled.id)})
    assert str(labelled.id) in found.text
    assert str(other.id) not in found.text


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("labelled_is", ["yes", "no"])
def test_predictions_are_filtered_by_whether_they_are_labelled(
    admin_client: Client, labelled: Prediction, labelled_is: str
) -> None:
    others = {str(make_prediction().id) for _ in range(2)}
    page = reverse("admin:monitoring_prediction_changelist")
    text = admin_client.get(page, {"labelled": labelled_is}).text
    assert (str(labelled.id) in text) == (labelled_is == "yes")
    assert all((other in text) == (labelled_is != "yes") for other in others)


@pytest.mark.parametrize("model", [Prediction, Feedback])
def test_nobody_adds_changes_or_deletes_a_fact(
    admin_client: Client, labelled: Prediction, model: type
) -> None:
    name = model.__name__.lower()
    pk = model.objects.get().pk  # type: ignore[attr-defined]
    for page in (
        reverse(f"admin:monitoring_{name}_add"),
        reverse(f"admin:monitoring_{name}_change", args=[pk]),
        reverse(f"admin:monitoring_{name}_delete", args=[pk]),
    ):
        assert admin_client.post(page, {}).status_code == 403
    assert admin.site._registry[model].show_full_result_count is False
