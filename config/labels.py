"""True labels in a job's file become feedback: jobs know no monitor, and the monitor no jobs."""

from collections.abc import Sequence

from django.utils import timezone

from inference.jobs.labels import TrueLabel
from monitoring.errors import MonitoringError
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem

SOURCE = "delayed"


def give_labels(labels: Sequence[TrueLabel], key_id: str) -> Sequence[str]:
    """Give `labels` as feedback of a key; for each "" or the code of the error it met."""
    items = [FeedbackItem(each.prediction_id, each.label, SOURCE) for each in labels]
    outcomes = give_feedback(items, key_id=key_id, now=timezone.now())
    return [each.code if isinstance(each, MonitoringError) else "" for each in outcomes]
