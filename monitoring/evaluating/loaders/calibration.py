"""Facts about calibration: the newest labelled answers, and the reference's own gap."""

from collections import defaultdict
from datetime import timedelta

import numpy as np

from monitoring.drift.reference import Reference
from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.loaders.quality import TRUSTED
from monitoring.evaluating.options import CalibrationOptions
from monitoring.evaluating.questions import calibration
from monitoring.models import Feedback, RouteKind
from monitoring.references.queries import load_active

MOST_LABELS = 5000
# Of fewer labels the reference's own gap is mostly chance.
FEWEST_REFERENCE = 100


def ask(question: Question, options: CalibrationOptions) -> Answer:
    active = load_active(question.model, question.version)
    facts = calibration.CalibrationFacts(
        sources=_load(question), reference_gap=_gap(active.reference) if active else 0.0
    )
    return calibration.answer(question, options, facts)


def _load(question: Question) -> list[calibration.Answers]:
    """The newest label of each answer, of those that arrived in the window."""
    start = question.at - timedelta(seconds=question.window)
    rows = (
        Feedback.objects.filter(
            at__gt=start,
            at__lte=question.at,
            source__in=TRUSTED,
            prediction__model=question.model,
            prediction__version=question.version,
            prediction__route=RouteKind.LIVE,
        )
        .order_by("-id")
        .values_list(
            "prediction", "source", "label", "prediction__label", "prediction__score", "weight"
        )[:MOST_LABELS]
    )
    by_source: defaultdict[str, list[tuple[float, bool, float]]] = defaultdict(list)
    seen = set()
    for prediction, source, actual, predicted, score, weight in rows:
        if prediction not in seen:
            seen.add(prediction)
            by_source[source].append((min(max(score, 0.0), 1.0), actual == predicted, weight))
    return [
        calibration.Answers(
            source=source,
            confidence=np.array([row[0] for row in found]),
            is_right=np.array([row[1] for row in found], dtype=np.float64),
            weight=np.array([row[2] for row in found], dtype=np.float64),
        )
        for source, found in sorted(by_source.items())
    ]


def _gap(reference: Reference) -> float:
    sample = reference.sample
    if sample is None:
        return 0.0
    rows = np.flatnonzero(sample.actual >= 0)
    if len(rows) < FEWEST_REFERENCE:
        return 0.0
    sure = sample.probabilities[rows, sample.predicted[rows]]
    return float((sure - (sample.actual[rows] == sample.predicted[rows])).mean())
