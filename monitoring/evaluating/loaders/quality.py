"""Facts about quality: labels in order of arrival, each taken in once, whoever asks and when."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, QuerySet

from monitoring.drift.grids import Counts
from monitoring.evaluating.answers import Question
from monitoring.evaluating.budget import share_of
from monitoring.evaluating.loaders.base import Outcome, count_like
from monitoring.evaluating.options import QualityOptions
from monitoring.evaluating.questions import quality
from monitoring.models import Feedback, Monitor, QualityStream, RouteKind, Source
from monitoring.quality import edetector
from monitoring.quality.degradation import Labelled
from monitoring.references.queries import ActiveReference, load_active
from monitoring.references.services import ensure_reference
from monitoring.verdicts import Verdict
from registry import queries as registry

TRUSTED = (Source.AUDIT, Source.DELAYED)
"""A user corrects what is wrong and stays silent otherwise: such labels are no sample."""
SETTLED = timedelta(seconds=5)
"""A transaction may commit after one that began later: younger rows are left for next time."""
CHUNK = 5000
RATED = timedelta(days=7)


class StreamMoved(Exception):
    """Somebody else took the same labels in meanwhile."""


def ask(question: Question, options: QualityOptions, monitor: Monitor) -> Outcome:
    """Take in the labels that came since the last time, and judge."""
    ensure_reference(question.model, question.version, question.at)
    active = load_active(question.model, question.version)
    row = _find(monitor, question, active)
    labels = registry.load_labels(question.model, question.version)
    standing = (
        quality.from_json(row.state) if row.state else quality.begin(*_baseline(active, labels))
    )
    fresh, position = _load_fresh(question, row.position)
    facts = quality.QualityFacts(labels=labels, fresh=fresh, arl=_run_length(question, monitor))
    standing = quality.take_in(standing, options, facts)
    answer = quality.answer(question, options, facts, standing)
    changes: dict[str, Any] = {
        "n": row.n + len(fresh),
        "position": position,
        "state": quality.to_json(standing),
    }
    if answer.verdict is Verdict.DEGRADED and row.alarmed_at is None:
        changes["alarmed_at"] = question.at
    return Outcome(answer, lambda: _keep(row, changes))


def _find(monitor: Monitor, question: Question, active: ActiveReference | None) -> QualityStream:
    """The stream of this baseline, or one to be: it begins when the baseline was there."""
    id = _baseline_id(active)
    row = monitor.streams.filter(version=question.version, reference=id).first()
    if row is not None:
        return row
    begins_at = active.ready_at if active and id else None
    earlier = Feedback.objects.filter(at__lte=begins_at) if begins_at else Feedback.objects.none()
    position = earlier.order_by("-id").values_list("id", flat=True).first() or 0
    return QualityStream(monitor=monitor, version=question.version, reference=id, position=position)


def _baseline_id(active: ActiveReference | None) -> int:
    """The reference whose labels are the baseline; 0 where it has none."""
    return active.id if active and active.reference.confusion.sum() else 0


def _baseline(
    active: ActiveReference | None, labels: Sequence[str]
) -> tuple[Sequence[str], Counts | None]:
    if active is None:
        return labels, None
    return active.reference.sums.labels, active.reference.confusion


def _load_fresh(question: Question, position: int) -> tuple[list[Labelled], int]:
    """Up to CHUNK settled labels after `position`, and how far they reach."""
    horizon = _horizon(question.at - SETTLED)
    if horizon <= position:
        return [], position
    earlier = Feedback.objects.filter(
        prediction=OuterRef("prediction"), source__in=TRUSTED, revision__lt=OuterRef("revision")
    )
    rows = (
        _trusted(question)
        .filter(id__gt=position, id__lte=horizon)
        .exclude(Exists(earlier))
        .order_by("id")
        .values_list("id", "label", "prediction__label", "weight", "source")[:CHUNK]
    )
    found = list(rows)
    fresh = [
        Labelled(actual=actual, predicted=predicted, weight=weight / 1000, source=source)
        for _, actual, predicted, weight, source in found
    ]
    return fresh, found[-1][0] if len(found) == CHUNK else horizon


def _horizon(cutoff: datetime) -> int:
    """The largest id before which every row has settled."""
    ids = Feedback.objects.order_by("id").values_list("id", flat=True)
    settled = ids.filter(at__lte=cutoff).reverse().first() or 0
    young = ids.filter(at__gt=cutoff).first()
    return settled if young is None else min(settled, young - 1)


def _trusted(question: Question) -> QuerySet[Feedback]:
    return Feedback.objects.filter(
        source__in=TRUSTED,
        prediction__model=question.model,
        prediction__version=question.version,
        prediction__route=RouteKind.LIVE,
    )


def _run_length(question: Question, monitor: Monitor) -> float:
    """How many labels must pass between false alarms, by how many arrived lately."""
    recent = _trusted(question).filter(at__gt=question.at - RATED, at__lte=question.at)
    n = recent.aggregate(n=Count("id"))["n"]
    return edetector.run_length(
        n / RATED.days,
        days=float(settings.BELLWETHER_FALSE_ALARM_DAYS),
        share=share_of("quality", count_like(monitor)),
    )


def _keep(row: QualityStream, changes: dict[str, Any]) -> None:
    """Move the stream on, unless somebody else did: then nothing is kept. Raises StreamMoved."""
    if row.pk is None:
        for name, value in changes.items():
            setattr(row, name, value)
        # Two that begin at once: the constraint lets one through.
        row.save(force_insert=True)
        return
    unmoved = QualityStream.objects.filter(pk=row.pk, position=row.position, n=row.n)
    if not unmoved.update(**changes):
        raise StreamMoved
