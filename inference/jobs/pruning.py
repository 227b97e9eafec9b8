"""How long jobs are kept: for the retention time, and no longer than their model."""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django_tasks import task

from inference.jobs.models import Job
from registry.queries import load_deletions

BATCH = 200


@task
def prune_jobs() -> int:
    """Delete jobs that ended more than BELLWETHER_RETENTION_DAYS ago, and ended ones of models that
    were deleted since they were asked for; returns how many.
    """
    before = timezone.now() - timedelta(days=settings.BELLWETHER_RETENTION_DAYS)
    n_deleted = _delete(Job.objects.filter(finished_at__lt=before))
    for deletion in load_deletions():
        jobs = Job.objects.filter(model=deletion.model, created_at__lt=deletion.at)
        n_deleted += _delete(jobs.exclude(finished_at=None))
    return n_deleted


def _delete(jobs: QuerySet[Job]) -> int:
    n_deleted = 0
    while ids := list(jobs.values_list("pk", flat=True)[:BATCH]):
        Job.objects.filter(pk__in=ids).delete()
        n_deleted += len(ids)
    return n_deleted
