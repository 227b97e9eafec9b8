"""What the scheduler looks for every few seconds: work that becomes due by what happens."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from monitoring import erasing, tasks
from monitoring.alerting import outbox
from monitoring.evaluating.due import is_any_due
from monitoring.models import Rollout, RolloutState
from monitoring.references import upkeep


@dataclass(frozen=True, slots=True)
class Chore:
    """A task that is enqueued when `is_due` says so, `every` so often at most.

    Looks come five seconds apart, and not to the millisecond: four let each of them count.
    """

    task: Any
    is_due: Callable[[datetime], bool]
    every: timedelta = timedelta(seconds=4)


def _has_open_rollout(now: datetime) -> bool:
    return Rollout.objects.filter(state__in=(RolloutState.RUNNING, RolloutState.BAKING)).exists()


CHORES: tuple[Chore, ...] = (
    Chore(tasks.evaluate_due, is_any_due),
    Chore(tasks.notify_due, outbox.is_due),
    Chore(tasks.analyse_rollouts, _has_open_rollout, timedelta(seconds=15)),
    Chore(tasks.advance_references, lambda now: upkeep.has_due()),
    Chore(tasks.erase_deleted, erasing.is_due),
)
"""In the order in which they are looked at; each costs a small query or two."""
