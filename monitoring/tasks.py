"""Background work of the monitor."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django_tasks import task

from monitoring import erasing
from monitoring.alerting import outbox
from monitoring.alerting.pruning import prune as prune_old_alerts
from monitoring.evaluating import pruning
from monitoring.evaluating.due import evaluate_all_due
from monitoring.models import Prediction
from monitoring.references import upkeep
from monitoring.rollouts import services as rollouts
from monitoring.traffic.compacting import compact

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


@task()
def compact_traffic() -> int:
    """Merge, thin and drop what is old of the traffic's sums and sample; returns how many rows."""
    return compact(timezone.now()).n


@task()
def advance_references() -> int:
    """Make every reference whose answers are complete; returns how many became ready."""
    return upkeep.advance(now=timezone.now())


@task()
def prune_reference_texts() -> int:
    """Take callers' texts that were kept long enough out of references; returns of how many."""
    return upkeep.drop_old_texts(now=timezone.now())


@task()
def evaluate_due() -> int:
    """Evaluate the monitors that are due; returns how many were."""
    return evaluate_all_due(timezone.now())


@task()
def notify_due() -> int:
    """Deliver the notifications that are due; returns how many went out."""
    return outbox.deliver_due(timezone.now())


@task()
def analyse_rollouts() -> int:
    """Look at every rollout under way; returns how many there are."""
    return rollouts.analyse_open(timezone.now())


@task()
def prune_evaluations() -> int:
    """Delete and thin old evaluations; returns how many went."""
    return pruning.prune(timezone.now(), days=settings.BELLWETHER_EVALUATION_DAYS)


@task()
def prune_alerts() -> int:
    """Delete alerts that ended long ago; returns how many went."""
    return prune_old_alerts(timezone.now(), days=settings.BELLWETHER_EVALUATION_DAYS)


@task()
def erase_deleted() -> int:
    """Erase what is left of models that were deleted lately; returns how many rows went.

    A few seconds of it at a time: alarms wait in the same queue.
    """
    now = timezone.now()
    return erasing.erase_deleted(now, since=now - erasing.LATE, longest_s=10)


@task()
def erase_leftovers() -> int:
    """The same for all models that were ever deleted; returns how many rows went."""
    return erasing.erase_deleted(timezone.now())
