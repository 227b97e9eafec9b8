"""What the worker's scheduler enqueues, and when: only the leader of all workers does.

It works nothing itself. Of a task that waits or runs already no second one is enqueued.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from monitoring.chores import CHORES, Chore

LOOK_S = 5
# A chore bounds its own time to about two minutes: one that runs for longer was left behind.
CHORE_LOST_AFTER = timedelta(minutes=5)
# Their results say nothing that evaluations and notifications do not say; there are many.
RESULTS_KEPT = timedelta(hours=1)
_UNFINISHED = (TaskResultStatus.READY, TaskResultStatus.RUNNING)
# A queue with a thread of its own in each worker: an alarm does not wait for a backup's end.
QUEUE = "chores"


def enqueue_chores(now: datetime, chores: Iterable[Chore] = CHORES) -> int:
    """Enqueue each chore that is due; returns how many. For the leader only."""
    n_enqueued = 0
    for chore in chores:
        if not is_enqueued(chore.task, now, chore.every) and chore.is_due(now):
            _drop_results(chore.task, now)
            chore.task.using(queue_name=QUEUE).enqueue()
            n_enqueued += 1
    return n_enqueued


def is_enqueued(task: Any, now: datetime, every: timedelta) -> bool:
    """Whether one waits or runs, or came within `every`; one that was left behind counts no more.

    One may wait for as long as another task takes: it is not enqueued again for that.
    """
    rows = DBTaskResult.objects.filter(task_path=task.module_path)
    if rows.filter(enqueued_at__gt=now - every).exists():
        return True
    lost = rows.filter(status=TaskResultStatus.RUNNING, started_at__lte=now - CHORE_LOST_AFTER)
    lost.update(status=TaskResultStatus.FAILED, finished_at=now)
    return rows.filter(status__in=_UNFINISHED).exists()


def _drop_results(task: Any, now: datetime) -> None:
    DBTaskResult.objects.filter(
        task_path=task.module_path,
        status=TaskResultStatus.SUCCESSFUL,
        finished_at__lt=now - RESULTS_KEPT,
    ).delete()
