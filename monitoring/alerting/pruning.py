"""What is forgotten of alerts: those that ended long ago, with all that was told of them."""

from datetime import datetime, timedelta

from monitoring.models import Alert, AlertState, Notification, Silence, Transition

CHUNK_ROWS = 500
FLICKER_KEPT = timedelta(days=7)
"""What never fired says nothing after this time."""


def prune(now: datetime, *, days: int) -> int:
    """Delete alerts that ended more than `days` ago, and over silences; returns how many alerts.

    Of alerts that never fired the transitions go after a week. Works in small transactions.
    """
    cutoff = now - timedelta(days=days)
    Silence.objects.filter(until_at__lt=cutoff).delete()
    Notification.objects.filter(is_test=True, created_at__lt=cutoff).delete()
    _prune_flicker(now)
    n_pruned, ended = 0, Alert.objects.filter(state=AlertState.RESOLVED, resolved_at__lt=cutoff)
    while ids := list(ended.values_list("pk", flat=True)[:CHUNK_ROWS]):
        Alert.objects.filter(pk__in=ids).delete()
        n_pruned += len(ids)
    return n_pruned


def _prune_flicker(now: datetime) -> None:
    old = Transition.objects.filter(
        at__lt=now - FLICKER_KEPT, is_told=False, alert__fired_at=None
    ).exclude(alert__state=AlertState.PENDING)
    while ids := list(old.values_list("pk", flat=True)[:CHUNK_ROWS]):
        Transition.objects.filter(pk__in=ids).delete()
