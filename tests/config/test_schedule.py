"""What the leader enqueues, and that only one leads."""

import sys
from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from config import worker
from config.schedule import CHORE_LOST_AFTER, LOOK_S, RESULTS_KEPT, enqueue_chores
from monitoring.chores import CHORES, Chore
from monitoring.evaluating import leases
from monitoring.tasks import evaluate_due
from tests.monitoring.evaluating.builders import go_live

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows say when they were enqueued by the real clock, so each test begins at its now."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", timezone.now())


def chores(*, is_due: bool = True) -> tuple[Chore, ...]:
    return (Chore(evaluate_due, lambda now: is_due),)


def rows() -> list[DBTaskResult]:
    return list(DBTaskResult.objects.filter(task_path=evaluate_due.module_path))


def test_what_is_due_is_enqueued_once_until_it_ran() -> None:
    assert enqueue_chores(NOW, chores()) == 1
    later = NOW + timedelta(minutes=4)
    assert enqueue_chores(later, chores()) == 0
    DBTaskResult.objects.update(status=TaskResultStatus.RUNNING, started_at=later)
    assert enqueue_chores(later, chores()) == 0
    DBTaskResult.objects.update(status=TaskResultStatus.SUCCESSFUL, finished_at=later)
    assert enqueue_chores(later, chores()) == 1


def test_each_look_counts() -> None:
    assert enqueue_chores(NOW, chores()) == 1
    DBTaskResult.objects.update(status=TaskResultStatus.SUCCESSFUL, finished_at=NOW)
    assert enqueue_chores(NOW + timedelta(seconds=LOOK_S), chores()) == 1


def test_what_is_not_due_is_not_enqueued() -> None:
    assert enqueue_chores(NOW, chores(is_due=False)) == 0
    assert rows() == []


def test_nothing_is_due_in_an_empty_house() -> None:
    assert enqueue_chores(NOW) == 0


def test_a_model_that_goes_live_makes_evaluation_due() -> None:
    go_live()
    assert enqueue_chores(NOW) == 1
    assert rows()[0].task_path == evaluate_due.module_path


def test_one_left_behind_by_a_dead_worker_does_not_stand_in_the_way() -> None:
    enqueue_chores(NOW, chores())
    DBTaskResult.objects.update(
        status=TaskResultStatus.RUNNING,
        enqueued_at=NOW - CHORE_LOST_AFTER,
        started_at=NOW - CHORE_LOST_AFTER,
    )
    assert enqueue_chores(NOW, chores()) == 1
    assert {row.status for row in rows()} == {TaskResultStatus.FAILED, TaskResultStatus.READY}


def test_results_of_chores_do_not_pile_up() -> None:
    for i in range(3):
        enqueue_chores(NOW, chores())
        DBTaskResult.objects.update(
            status=TaskResultStatus.SUCCESSFUL,
            enqueued_at=NOW - timedelta(hours=3 - i),
            finished_at=NOW - RESULTS_KEPT - timedelta(minutes=1),
        )
    enqueue_chores(NOW, chores())
    assert len(rows()) == 1


def test_every_chore_runs_on_an_empty_house() -> None:
    for chore in CHORES:
        chore.task.call()


def test_only_the_leader_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    # The scheduler's threads have connections of their own; the test has one for all.
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    go_live()
    assert leases.hold(leases.SCHEDULER, "somebody else", timezone.now())
    worker._look()
    assert rows() == []
    leases.release(leases.SCHEDULER, "somebody else")
    worker._look()
    assert len(rows()) == 1
    assert leases.hold(leases.SCHEDULER, worker.OWNER, timezone.now())
