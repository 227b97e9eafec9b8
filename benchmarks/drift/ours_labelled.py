"""Bellwether's detector of rising errors and the classic rule, as `labelled` tries them."""

import numpy as np

from benchmarks.drift.labelled import Candidate, Update
from monitoring.quality import edetector
from monitoring.quality.classic import DROP, has_dropped
from monitoring.quality.confidence_sequence import Outcome

TOLERANCE = 0.02
CLASSIC_WINDOW = 200
THEOREM = 10_000.0
"""The threshold at which the e-detector's run length is at least that by theorem."""


def candidates(baseline: float, n_classes: int) -> list[Candidate]:
    """The e-detector against `baseline` + TOLERANCE, and the drop of macro-F1 against the window
    before.
    """

    def e_detector(threshold: float) -> Update:
        state = edetector.State()

        def update(true: int, predicted: int) -> bool:
            nonlocal state
            outcome = [Outcome(true != predicted)]
            state = edetector.update(state, outcome, limit=baseline + TOLERANCE)
            return state.e_value >= threshold

        return update

    def classic(drop: float) -> Update:
        counts, before = np.zeros((n_classes, n_classes)), float("nan")

        def update(true: int, predicted: int) -> bool:
            nonlocal counts, before
            counts[true, predicted] += 1
            if counts.sum() < CLASSIC_WINDOW:
                return False
            now = _macro_f1(counts)
            is_alarm = bool(before == before and has_dropped(now, before, drop=drop))
            counts, before = np.zeros_like(counts), now
            return is_alarm

        return update

    return [
        Candidate("e-detector", e_detector, (30, 100, 300, 1_000, 3_000, THEOREM), THEOREM),
        Candidate(
            f"classic rule: macro-F1 drop, {CLASSIC_WINDOW} labels",
            classic,
            (DROP, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
            DROP,
        ),
    ]


def _macro_f1(counts: np.ndarray) -> float:
    hits = np.diag(counts)
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return float(np.divide(2 * hits, both, out=np.zeros_like(hits), where=both > 0).mean())
