"""Which monitors are due, and evaluating them one after the other."""

import logging
import time
from datetime import datetime, timedelta

from monitoring.evaluating.counting import load_new_counts
from monitoring.evaluating.defaults import ensure_defaults, has_missing
from monitoring.evaluating.evaluator import evaluate
from monitoring.evaluating.plans import NEED_TRAFFIC
from monitoring.evaluating.scheduling import Timing, is_due
from monitoring.models import Monitor, MonitorKind

log = logging.getLogger(__name__)

LONGEST_S = 60.0
"""After so long the rest waits for the next task: other work must have its turn."""


def load_due(now: datetime) -> list[int]:
    """The ids of the monitors that are due, by rank, then those that waited longest first.

    So `stuck` sees what this round did, not what the pause before it left undone. Two queries.
    """
    monitors = list(Monitor.objects.filter(is_enabled=True, deleted_at=None))
    new = load_new_counts(monitors, now)
    due = [each for each in monitors if is_due(_timing(each, new[each.pk]), now)]
    return [each.pk for each in sorted(due, key=_order)]


def is_any_due(now: datetime) -> bool:
    """Whether `evaluate_all_due` would have something to do."""
    return has_missing() or bool(load_due(now))


def evaluate_all_due(now: datetime, *, longest_s: float = LONGEST_S) -> int:
    """Evaluate what is due, at most about `longest_s` seconds long; returns how many were."""
    ensure_defaults(now)
    begun, ids = time.monotonic(), load_due(now)
    for n_done, pk in enumerate(ids):
        passed_s = time.monotonic() - begun
        if passed_s > longest_s:
            log.warning("%d monitors wait for the next round", len(ids) - n_done)
            return n_done
        try:
            evaluate(pk, now + timedelta(seconds=passed_s))
        except Exception:
            # Deleted meanwhile, or its failure could not even be written down.
            log.exception("monitor %d could not be evaluated", pk)
    return len(ids)


def _timing(monitor: Monitor, n_new: int) -> Timing:
    return Timing(
        every_s=monitor.every_s,
        every_n=monitor.every_n,
        needs_traffic=monitor.kind in NEED_TRAFFIC,
        evaluated_at=monitor.evaluated_at,
        n_new=n_new,
    )


def rank(kind: str) -> int:
    """What is asked first: an estimate, since drift weighs by it; `stuck` last."""
    return {MonitorKind.ESTIMATE: 0, MonitorKind.STUCK: 2}.get(MonitorKind(kind), 1)


def _order(monitor: Monitor) -> tuple[int, datetime]:
    return rank(monitor.kind), monitor.evaluated_at or monitor.created_at
