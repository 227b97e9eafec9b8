from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from config.worker import DAILY, LOST_AFTER, PERIOD, _scheduled, enqueue_due
from registry.tasks import back_up_on_schedule

pytestmark = pytest.mark.django_db


def test_daily_tasks_are_enqueued_once_a_day():
    assert enqueue_due() == len(_scheduled())
    assert enqueue_due() == 0
    DBTaskResult.objects.update(enqueued_at=timezone.now() - PERIOD - timedelta(minutes=1))
    assert enqueue_due() == len(_scheduled())


def test_backups_are_enqueued_at_their_own_period(settings):
    n_others = len(_scheduled())
    settings.BELLWETHER_BACKUP_EVERY = 6
    assert enqueue_due() == n_others + 1
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(hours=7))
    enqueue_due()
    backups = DBTaskResult.objects.filter(task_path=back_up_on_schedule.module_path)
    assert backups.count() == 2


def test_a_task_left_behind_by_a_dead_worker_is_marked_failed():
    enqueue_due()
    DBTaskResult.objects.update(
        status=TaskResultStatus.RUNNING,
        started_at=timezone.now() - LOST_AFTER - timedelta(minutes=1),
    )
    enqueue_due()
    assert set(DBTaskResult.objects.values_list("status", flat=True)) == {TaskResultStatus.FAILED}


def test_every_daily_task_runs():
    for task in DAILY:
        task.call()
