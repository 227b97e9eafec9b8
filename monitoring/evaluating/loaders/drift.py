"""Facts about drift: the active reference and the sums of the window."""

from dataclasses import replace
from datetime import datetime, timedelta

from monitoring.drift import catalogue
from monitoring.drift.base import Detector
from monitoring.drift.reference import Observed
from monitoring.drift.sums import Sums
from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.options import DriftOptions
from monitoring.evaluating.questions import drift
from monitoring.models import Evaluation, MonitorKind, ReferenceOrigin
from monitoring.references.queries import load_active
from monitoring.references.services import ensure_reference
from monitoring.traffic.windows import Stretch, load_by_segment, load_newest, load_sample
from monitoring.traffic.windows import load_stretch as load_time
from monitoring.verdicts import Verdict

# What detectors that look at single answers get to see of a window.
SAMPLED = 2000


def ask(question: Question, options: DriftOptions, detectors: list[str]) -> Answer:
    ensure_reference(question.model, question.version, question.at)
    active = load_active(question.model, question.version)
    is_traffic = active is not None and active.origin == ReferenceOrigin.ACCEPTED
    if active is not None and is_traffic:
        # What the reference was made of would only be compared with itself.
        since = max(active.ready_at, question.live_since or active.ready_at)
        question = replace(question, live_since=since)
    found, chosen = load_window(question), _detectors(detectors)
    return drift.answer(
        question,
        options,
        drift.DriftFacts(
            reference_id=active.id if active else None,
            reference=active.reference if active else None,
            is_traffic=is_traffic,
            observed=_observed(question, found, chosen),
            segments=_segments(question, found, options),
            detectors=chosen,
            start=found.start,
            end=found.end,
            loss=load_loss(question, timedelta(hours=options.loss_hours)),
        ),
    )


def load_window(question: Question) -> Stretch:
    """The window's sums, cut where the version began to be live."""
    if question.by_count:
        return load_newest(
            question.model, question.version, question.window, since=question.live_since
        )
    return load_time(question.model, question.version, start=start_of(question), end=question.at)


def start_of(question: Question) -> datetime:
    """Where a window of time begins."""
    start = question.at - timedelta(seconds=question.window)
    return max(start, question.live_since) if question.live_since else start


def load_loss(question: Question, length: timedelta) -> float | None:
    """The version's newest estimate of `length`, if it says that accuracy is lost."""
    newest = (
        Evaluation.objects.filter(
            model=question.model,
            version=question.version,
            kind=MonitorKind.ESTIMATE,
            at__gt=question.at - length,
            at__lte=question.at,
        )
        .order_by("-at")
        .values_list("verdict", "effect")
        .first()
    )
    if newest is None or newest[0] != Verdict.DEGRADED:
        return None
    return newest[1] or 0.0


def _detectors(names: list[str]) -> list[Detector]:
    return [catalogue.get(name) for name in names] if names else list(catalogue.DEFAULTS)


def _observed(question: Question, found: Stretch, detectors: list[Detector]) -> Observed:
    needs_sample = any(detector.needs_sample for detector in detectors)
    if not needs_sample or found.start is None or found.end is None:
        return Observed(sums=found.sums)
    sample = load_sample(question.model, question.version, found.start, found.end, SAMPLED)
    return Observed(sums=found.sums, sample=sample)


def _segments(question: Question, found: Stretch, options: DriftOptions) -> dict[str, Sums]:
    # Blocks are of all segments together, so windows by count know none.
    if question.by_count or not options.max_segments or found.sums.n < options.min_items:
        return {}
    return load_by_segment(
        question.model, question.version, start=start_of(question), end=question.at
    )
