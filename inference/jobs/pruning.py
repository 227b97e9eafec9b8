"""How long jobs are kept."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django_tasks import task

from inference.jobs.models import Job

BATCH = 200


@task
def prune_jobs() -> int:
    """Delete jobs that ended more than BELLWETHER_RETENTION_DAYS ago; returns how many."""
    before, n_deleted = timezone.now() - timedelta(days=settings.BELLWETHER_RETENTION_DAYS), 0
    while ids := list(
        Job.objects.filter(finished_at__lt=before).values_list("pk", flat=True)[:BATCH]
    ):
        Job.objects.filter(pk__in=ids).delete()
        n_deleted += len(ids)
    return n_deleted
