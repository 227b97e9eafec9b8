"""One monitor, one evaluation: its row, what it carries forward and its alert, all or nothing."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from access.errors import BellwetherError
from monitoring.alerting.services import resolve_for_version, take
from monitoring.alerting.signals import Policy, Signal
from monitoring.errors import MonitorNotFound
from monitoring.evaluating import budget
from monitoring.evaluating.answers import Answer, Question, finite, insufficient, plain
from monitoring.evaluating.counting import load_day_count
from monitoring.evaluating.loaders import ask
from monitoring.evaluating.loaders.base import Outcome, count_like
from monitoring.evaluating.loaders.quality import StreamMoved
from monitoring.evaluating.plans import BY_COUNT
from monitoring.evaluating.resolving import Subject, resolve
from monitoring.evaluating.services import source_of
from monitoring.models import Evaluation, Monitor

log = logging.getLogger(__name__)

FAILED = "error"
"""The key in an evaluation's details that says why there is no answer."""
MOST_SUMMARY = 500


class Overtaken(Exception):
    """Another process evaluated the same monitor meanwhile: its answer counts."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A monitor as it was when it was asked, and what it was asked of."""

    monitor: Monitor
    subject: Subject
    now: datetime


def evaluate(monitor_id: int, now: datetime) -> Evaluation | None:
    """Answer a monitor's question now; None where its model has no version to ask about.

    The evaluation, what it carries forward and the signal to the alerts are one transaction. Of two
    at once the first counts, and the second returns its evaluation. A question that fails is logged
    and becomes an evaluation without an answer. Raises MonitorNotFound.
    """
    monitor = Monitor.objects.filter(pk=monitor_id, deleted_at=None).first()
    if monitor is None:
        raise MonitorNotFound(
            f"There is no monitor {monitor_id}. GET /api/v1/monitors lists them.",
            details={"monitor": monitor_id},
        )
    subject = resolve(monitor.model, monitor.version)
    if subject is None:
        _pass_over(monitor, now)
        return None
    asked = _Asked(monitor, subject, now)
    try:
        return _evaluate(asked)
    except Overtaken:
        return monitor.evaluations.order_by("-at", "-id").first()
    except Exception as error:
        # A question that fails must not keep the others from being asked.
        log.exception("the monitor %s of %s failed", monitor.name, monitor.model)
        return _keep_failure(asked, error)


def _evaluate(asked: _Asked) -> Evaluation:
    begun = time.perf_counter()
    outcome = ask(asked.monitor, _question(asked))
    cost_s = time.perf_counter() - begun
    try:
        with transaction.atomic():
            return _keep(asked, outcome, cost_s)
    except (StreamMoved, IntegrityError) as error:
        if _is_overtaken(asked):
            raise Overtaken from error
        raise


def _question(asked: _Asked) -> Question:
    monitor = asked.monitor
    return Question(
        model=monitor.model,
        version=asked.subject.version,
        at=asked.now,
        window=monitor.window,
        by_count=monitor.window_by == BY_COUNT,
        alpha=budget.level(
            monitor.kind,
            n_alike=count_like(monitor),
            elapsed_s=_elapsed_s(monitor, asked.now),
            days=float(settings.BELLWETHER_FALSE_ALARM_DAYS),
        ),
        live_since=asked.subject.live_since,
    )


def _elapsed_s(monitor: Monitor, now: datetime) -> float:
    """Since the last evaluation; the first one has its period, however soon it comes."""
    if monitor.evaluated_at is not None:
        return (now - monitor.evaluated_at).total_seconds()
    return max((now - monitor.created_at).total_seconds(), monitor.every_s)


def _keep(asked: _Asked, outcome: Outcome, cost_s: float) -> Evaluation:
    answer = outcome.answer
    _claim(asked, {"version": asked.subject.version, "verdict": answer.verdict.value})
    if outcome.save is not None:
        outcome.save()
    row = _row(asked, answer, cost_s)
    row.save()
    _resolve_replaced(asked)
    take(_signal(asked, answer, row), _policy(asked.monitor), now=asked.now)
    return row


def _claim(asked: _Asked, state: dict[str, Any]) -> None:
    """Move the monitor on, unless somebody else did since it was loaded. Raises Overtaken."""
    unmoved = Monitor.objects.filter(
        pk=asked.monitor.pk, evaluated_at=asked.monitor.evaluated_at, deleted_at=None
    )
    n_today = load_day_count(asked.monitor.model, asked.now)
    if not unmoved.update(evaluated_at=asked.now, n_at_evaluation=n_today, state=state):
        raise Overtaken


def _is_overtaken(asked: _Asked) -> bool:
    unmoved = Monitor.objects.filter(
        pk=asked.monitor.pk, evaluated_at=asked.monitor.evaluated_at, deleted_at=None
    )
    return not unmoved.exists()


def _row(asked: _Asked, answer: Answer, cost_s: float) -> Evaluation:
    return Evaluation(
        monitor=asked.monitor,
        model=asked.monitor.model,
        version=asked.subject.version,
        kind=asked.monitor.kind,
        at=asked.now,
        window_start_at=answer.window_start,
        window_end_at=answer.window_end,
        reference=answer.reference,
        n_reference=answer.n_reference,
        n_window=answer.n_window,
        verdict=answer.verdict.value,
        severity=answer.severity.value if answer.verdict.is_bad else "",
        value=finite(answer.value),
        threshold=finite(answer.threshold),
        p_value=finite(answer.p_value),
        effect=finite(answer.effect),
        alpha=finite(answer.alpha),
        summary=answer.summary[:MOST_SUMMARY],
        details=plain(answer.details),
        cost_s=cost_s,
    )


def _signal(asked: _Asked, answer: Answer, row: Evaluation) -> Signal:
    return Signal(
        model=row.model,
        version=row.version,
        kind=row.kind,
        verdict=answer.verdict,
        severity=answer.severity,
        summary=row.summary,
        at=asked.now,
        evaluation=row.pk,
        source=source_of(asked.monitor.pk),
        details=row.details | {"monitor": asked.monitor.name},
    )


def _policy(monitor: Monitor) -> Policy:
    return Policy(
        fires_after=monitor.fires_after,
        resolves_after=monitor.resolves_after,
        cooldown_s=monitor.cooldown_s,
    )


def _resolve_replaced(asked: _Asked) -> None:
    """End the alerts of the version that was live at the last evaluation and is no longer."""
    before = asked.monitor.state.get("version")
    if asked.monitor.version is None and before not in (None, asked.subject.version):
        resolve_for_version(
            asked.monitor.model,
            before,
            reason=f"Version {asked.subject.version} answers now.",
            now=asked.now,
        )


def _pass_over(monitor: Monitor, now: datetime) -> None:
    Monitor.objects.filter(pk=monitor.pk).update(evaluated_at=now)


def _keep_failure(asked: _Asked, error: Exception) -> Evaluation:
    """An evaluation that says why there is no answer; `stuck` counts such ones in a row."""
    expected = isinstance(error, BellwetherError)
    told = error.message if isinstance(error, BellwetherError) else type(error).__name__
    code = error.code if isinstance(error, BellwetherError) else "internal_error"
    n_errors = int(asked.monitor.state.get("n_errors", 0)) + 1
    why = told if expected else f"The question failed with {told}; the worker's log says where."
    with transaction.atomic():
        Monitor.objects.filter(pk=asked.monitor.pk).update(
            evaluated_at=asked.now,
            state=asked.monitor.state | {"n_errors": n_errors, "error": told[:200]},
        )
        row = _row(asked, insufficient(why, details={FAILED: code}), 0.0)
        row.save()
    return row
