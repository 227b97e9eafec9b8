"""How long jobs are kept: for the retention time, and no longer than their model."""

import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django_tasks import task

from inference.jobs import files, storage
from inference.jobs.models import Job
from registry.queries import load_deletions

BATCH = 200
# An upload, and what lies between a folder and its row, takes less.
ABANDONED_AFTER_S = 86_400.0


@task
def prune_jobs() -> int:
    """Delete jobs that ended more than BELLWETHER_RETENTION_DAYS ago, and ended ones of models that
    were deleted since they were asked for, with their files; returns how many.

    Files that belong to no job go after a day.
    """
    before = timezone.now() - timedelta(days=settings.BELLWETHER_RETENTION_DAYS)
    n_deleted = _delete(Job.objects.filter(finished_at__lt=before))
    for deletion in load_deletions():
        jobs = Job.objects.filter(model=deletion.model, created_at__lt=deletion.at)
        n_deleted += _delete(jobs.exclude(finished_at=None))
    _remove_leftovers(time.time() - ABANDONED_AFTER_S)
    return n_deleted


def _delete(jobs: QuerySet[Job]) -> int:
    n_deleted = 0
    while ids := list(jobs.values_list("pk", flat=True)[:BATCH]):
        # Rows first: of a job that is gone nobody reads files, and the next round removes them.
        Job.objects.filter(pk__in=ids).delete()
        for job_id in ids:
            storage.folder_of(files.get_root(), job_id).remove()
        n_deleted += len(ids)
    return n_deleted


def _remove_leftovers(before: float) -> None:
    root = files.get_root()
    for path in storage.list_leftovers(root, before=before):
        storage.remove(path)
    folders: dict[UUID, storage.JobFolder] = dict(storage.list_folders(root, before=before))
    known = set(Job.objects.filter(pk__in=list(folders)).values_list("pk", flat=True))
    for job_id in folders.keys() - known:
        folders[job_id].remove()
