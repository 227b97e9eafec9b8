"""Background work of the monitor."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django_tasks import task

from monitoring.models import Prediction

CHUNK_ROWS = 1000


@task()
def prune_predictions() -> int:
    """Delete predictions, and their feedback, beyond the retention time; roll-ups stay.

    Works in small transactions so that nobody waits long for a lock; returns how many went.
    """
    cutoff = timezone.now() - timedelta(days=settings.BELLWETHER_RETENTION_DAYS)
    n_pruned = 0
    for model in Prediction.objects.order_by().values_list("model", flat=True).distinct():
        old = Prediction.objects.filter(model=model, at__lt=cutoff).order_by("at")
        while ids := list(old.values_list("id", flat=True)[:CHUNK_ROWS]):
            Prediction.objects.filter(id__in=ids).delete()
            n_pruned += len(ids)
    return n_pruned
