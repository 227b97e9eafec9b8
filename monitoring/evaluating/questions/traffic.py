"""Is traffic missing? A rate test against the same model's own history. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.evaluating.answers import Answer, Question, insufficient, percent
from monitoring.evaluating.options import TrafficOptions
from monitoring.evaluating.questions.rates import Expectation, at_most, expect
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

# The shortest of these parts of the window is taken that should hold enough requests.
PARTS = (16, 4, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFacts:
    """Answered requests by whole hour and, through the window, by minute; zeros are left out.

    `first` is the first whole hour that is known, None where nothing ever came.
    """

    hours: Mapping[datetime, int]
    minutes: Mapping[datetime, int]
    first: datetime | None


def answer(question: Question, options: TrafficOptions, facts: TrafficFacts) -> Answer:
    """BREACH where too few requests came for chance, and most of the expected ones are missing."""
    if facts.first is None:
        return insufficient("No traffic has ever come.")
    for part in PARTS:
        start = question.at - timedelta(seconds=question.window / part)
        expected = expect(facts.hours, start, question.at, first=facts.first)
        if expected is not None and expected.mean >= options.min_expected:
            return _judged(question, options, facts, start, expected)
    return insufficient(
        "Too little history, or too few requests expected, to miss any.",
        window_start=question.at - timedelta(seconds=question.window),
        window_end=question.at,
    )


def _judged(
    question: Question,
    options: TrafficOptions,
    facts: TrafficFacts,
    start: datetime,
    expected: Expectation,
) -> Answer:
    observed = sum(n for at, n in facts.minutes.items() if start <= at < question.at)
    p_value = at_most(observed, expected)
    missing = 1 - observed / expected.mean
    is_bad = p_value <= question.alpha and missing >= options.drop
    is_silent = observed == 0 and all(_recent(facts, start))
    minutes = (question.at - start).total_seconds() / 60
    return Answer(
        verdict=Verdict.BREACH if is_bad else Verdict.OK,
        severity=Severity.CRITICAL if is_silent else Severity.WARNING,
        summary=f"{observed} requests in {minutes:.0f} minutes where {expected.mean:.0f} were "
        f"expected from {expected.method}"
        + (f": {percent(missing)} are missing." if is_bad else "."),
        value=float(observed),
        threshold=(1 - options.drop) * expected.mean,
        p_value=p_value,
        effect=missing,
        alpha=question.alpha,
        n_window=observed,
        window_start=start,
        window_end=question.at,
        details={"expected": expected.mean, "sd": expected.variance**0.5},
    )


def _recent(facts: TrafficFacts, start: datetime) -> list[int]:
    """The counts of the last known day's hours before `start`."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    hours = [hour - timedelta(hours=i) for i in range(1, 25)]
    return [facts.hours.get(at, 0) for at in hours if facts.first and at >= facts.first]
