"""What both feedback endpoints do with a request."""

from collections.abc import Sequence

from django.utils import timezone
from rest_framework.request import Request

from access.drf import get_facts
from monitoring.errors import MonitoringError
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem, Outcome, parse_item


def give_one(request: Request) -> Outcome:
    """Take the one item in the body of `request`. Raises any MonitoringError."""
    [outcome] = give(request, [parse_item(request.data)])
    if isinstance(outcome, MonitoringError):
        raise outcome
    return outcome


def give(
    request: Request, items: Sequence[FeedbackItem | MonitoringError]
) -> list[Outcome | MonitoringError]:
    """Take the sound items; one outcome an item, in order, with its error where it has one."""
    sound = [item for item in items if isinstance(item, FeedbackItem)]
    facts = get_facts(request)
    key_id = facts.id if facts else ""
    outcomes = iter(give_feedback(sound, key_id=key_id, now=timezone.now()))
    return [next(outcomes) if isinstance(item, FeedbackItem) else item for item in items]
