"""Are labels missing? A dead feedback pipe looks like a perfect model. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from monitoring.evaluating.answers import Answer, Question, insufficient, percent
from monitoring.evaluating.options import FeedbackOptions
from monitoring.evaluating.questions.rates import Expectation, at_most
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

FEWEST_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class Stretch:
    """One window's length of time: labels that arrived, requests that were answered."""

    n_labels: int
    n_answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFacts:
    """The window and the stretches of its length before it, newest first, as far as known."""

    now: Stretch
    earlier: Sequence[Stretch]


def answer(question: Question, options: FeedbackOptions, facts: FeedbackFacts) -> Answer:
    """BREACH where far fewer labels arrived than usual for so many requests.

    The expectation is the earlier stretches' labels per request; the spread of the same stretches
    around it gives the variance, by Pearson's dispersion.
    """
    start = question.at - timedelta(seconds=question.window)
    spans = {"window_start": start, "window_end": question.at}
    known = [stretch for stretch in facts.earlier if stretch.n_answered]
    n_labels, n_answered = _total(known)
    if len(known) < FEWEST_WINDOWS or not n_labels:
        return insufficient("Feedback has not come for long enough to be missed.", **spans)
    expected = _expected(known, facts.now.n_answered)
    if expected.mean < options.min_expected:
        return insufficient(f"Only {expected.mean:.1f} labels were to be expected.", **spans)
    observed = facts.now.n_labels
    p_value, missing = at_most(observed, expected), 1 - observed / expected.mean
    is_bad = p_value <= question.alpha and missing >= options.drop
    return Answer(
        verdict=Verdict.BREACH if is_bad else Verdict.OK,
        severity=Severity.WARNING,
        summary=f"{observed} labels arrived where {expected.mean:.0f} were expected"
        + (f": {percent(missing)} are missing." if is_bad else "."),
        value=float(observed),
        threshold=(1 - options.drop) * expected.mean,
        p_value=p_value,
        effect=missing,
        alpha=question.alpha,
        n_reference=n_labels,
        n_window=observed,
        details={
            "expected": expected.mean,
            "labels_per_request": n_labels / n_answered,
            "n_answered": facts.now.n_answered,
        },
        **spans,  # type: ignore[arg-type]
    )


def _total(stretches: Sequence[Stretch]) -> tuple[int, int]:
    return sum(s.n_labels for s in stretches), sum(s.n_answered for s in stretches)


def _expected(known: Sequence[Stretch], n_answered: int) -> Expectation:
    labels = np.array([stretch.n_labels for stretch in known], dtype=np.float64)
    answered = np.array([stretch.n_answered for stretch in known], dtype=np.float64)
    rate = float(labels.sum() / answered.sum())
    usual = np.maximum(rate * answered, 1.0)
    dispersion = max(1.0, float((np.square(labels - usual) / usual).sum()) / (len(known) - 1))
    mean = rate * n_answered
    return Expectation(mean, mean * dispersion * (1 + 1 / len(known)), "earlier windows")
