"""The worker process: runs tasks from the database queue, and a scheduler that only enqueues."""

import logging
import os
import threading
import time
from datetime import timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from config.schedule import LOOK_S, QUEUE, enqueue_chores
from config.tasks import prune_task_results
from inference.jobs.pruning import prune_jobs
from inference.swap import making
from monitoring.evaluating import leases
from monitoring.tasks import (
    compact_traffic,
    erase_leftovers,
    prune_alerts,
    prune_evaluations,
    prune_predictions,
    prune_reference_texts,
)
from registry.services import operations
from registry.tasks import back_up_on_schedule, check_audit, sweep_daily, verify_all

log = logging.getLogger(__name__)

DAILY: tuple[Any, ...] = (
    check_audit,
    verify_all,
    sweep_daily,
    prune_predictions,
    prune_reference_texts,
    prune_alerts,
    prune_evaluations,
    erase_leftovers,
    prune_jobs,
    prune_task_results,
)
PERIOD = timedelta(days=1)
# A task that has run for this long was left behind by a worker that died.
LOST_AFTER = timedelta(hours=6)
CHECK_S = 60
GOLDEN_S = 15
POLL_S = 2.0
PARENT_CHECK_S = 2.0
STOP_S = 10.0
OWNER = f"{os.uname().nodename[:40]}-{os.getpid()}"


def run() -> None:
    """Work until SIGTERM or SIGINT; a task that runs then is finished first."""
    _end_with_parent()
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(
        _tick,
        "interval",
        seconds=CHECK_S,
        next_run_time=timezone.now() + timedelta(seconds=5),
    )
    scheduler.add_job(
        _make_golden,
        "interval",
        seconds=GOLDEN_S,
        next_run_time=timezone.now() + timedelta(seconds=GOLDEN_S),
    )
    scheduler.add_job(
        _look,
        "interval",
        seconds=LOOK_S,
        next_run_time=timezone.now() + timedelta(seconds=LOOK_S),
    )
    scheduler.start()
    worker, chores = _worker("default"), _worker(QUEUE)
    worker.configure_signals()
    beside = threading.Thread(target=_run_chores, args=[chores], name="chores", daemon=True)
    beside.start()
    try:
        worker.run()
    finally:
        chores.running = False
        making.stop()
        beside.join(STOP_S)
        scheduler.shutdown(wait=False)
        leases.release(leases.SCHEDULER, OWNER)


def _worker(queue: str) -> Worker:
    return Worker(
        queue_names=[queue],
        interval=POLL_S,
        batch=False,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=f"{OWNER}-{queue}",
        excluded_queue_names=[],
    )


def _run_chores(chores: Worker) -> None:
    """Work on what cannot wait for a long task's end; a database that is away is waited for."""
    while chores.running:
        try:
            chores.run()
        except DatabaseError:
            log.warning("chores wait: the database does not answer")
            connection.close()
            time.sleep(POLL_S)
    connection.close()


def _tick() -> None:
    close_old_connections()
    try:
        if is_leader():
            operations.fail_lost()
            enqueue_due()
    finally:
        close_old_connections()


def _make_golden() -> None:
    close_old_connections()
    try:
        making.make_missing()
    finally:
        close_old_connections()


def _look() -> None:
    close_old_connections()
    try:
        if is_leader():
            enqueue_chores(timezone.now())
    finally:
        close_old_connections()


def is_leader() -> bool:
    """Whether this process is the one whose scheduler enqueues; it may become so by asking."""
    return leases.hold(leases.SCHEDULER, OWNER, timezone.now())


def enqueue_due() -> int:
    """Enqueue each task that was not enqueued within its period; returns how many.

    For the leader only; should two take themselves for it, tasks run twice without harm.
    """
    now, n_enqueued = timezone.now(), 0
    DBTaskResult.objects.filter(
        status=TaskResultStatus.RUNNING, started_at__lt=now - LOST_AFTER
    ).update(status=TaskResultStatus.FAILED, finished_at=now)
    for task, period in _scheduled():
        recent = DBTaskResult.objects.filter(
            task_path=task.module_path, enqueued_at__gt=now - period
        )
        if not recent.exists():
            task.enqueue()
            n_enqueued += 1
    return n_enqueued


def _scheduled() -> list[tuple[Any, timedelta]]:
    """Every task of the schedule and its period: mostly a day."""
    every_h = settings.BELLWETHER_BACKUP_EVERY
    backup = [(back_up_on_schedule, timedelta(hours=every_h))] if every_h else []
    hourly = [(compact_traffic, timedelta(hours=1))]
    return [*((task, PERIOD) for task in DAILY), *hourly, *backup]


def _end_with_parent() -> None:
    """End this process when the server that started it is gone, however it went."""
    parent = os.environ.get("BELLWETHER_PARENT_PID")
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(PARENT_CHECK_S)
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
