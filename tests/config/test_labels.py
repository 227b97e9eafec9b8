"""Labels of a job's file become feedback, and what is wrong with one is told by its code."""

from datetime import timedelta

import pytest
from django.utils import timezone

from config.labels import give_labels
from inference.jobs.labels import TrueLabel, name_of
from monitoring.models import Feedback
from tests.monitoring.builders import make_prediction, register, uuid7


@pytest.mark.django_db
def test_labels_become_delayed_feedback_once():
    register()
    long_ago = timezone.now() - timedelta(days=1)
    prediction = make_prediction(at=long_ago)
    labels = [
        TrueLabel(prediction.id, "NEGATIVE"),
        TrueLabel(prediction.id, "odd"),
        TrueLabel(uuid7(long_ago.timestamp()), "NEGATIVE"),
    ]
    for _ in range(2):
        assert give_labels(labels, "key") == ["", "unknown_label", "prediction_not_found"]
    feedback = Feedback.objects.get()
    assert (feedback.label, feedback.source, feedback.key_id) == ("NEGATIVE", "delayed", "key")


def test_numbers_stand_for_classes_where_no_class_is_called_so():
    names = ("bad", "good", "3")
    found = [name_of(label, names) for label in ("good", "0", "1", "2", "3", "7", "-1", "²")]
    assert found == ["good", "bad", "good", "3", "3", "7", "-1", "²"]
