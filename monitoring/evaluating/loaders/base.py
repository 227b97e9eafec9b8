"""What a loader hands to the evaluator."""

from collections.abc import Callable
from dataclasses import dataclass

from monitoring.evaluating.answers import Answer
from monitoring.models import Monitor

Save = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and what must be kept with it in the same transaction."""

    answer: Answer
    save: Save | None = None


def count_like(monitor: Monitor) -> int:
    """How many enabled monitors of this kind share the model's part of the budget."""
    alike = Monitor.objects.filter(model=monitor.model, kind=monitor.kind, is_enabled=True)
    return max(1, alike.filter(deleted_at=None).count())
