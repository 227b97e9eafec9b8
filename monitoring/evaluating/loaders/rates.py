"""Facts about how much comes: requests, labels, failures."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.options import ErrorsOptions, FeedbackOptions, TrafficOptions
from monitoring.evaluating.questions import errors, feedback, traffic
from monitoring.evaluating.questions.feedback import FeedbackFacts, Stretch
from monitoring.models import Clock, PredictionCount
from monitoring.rollups import By, Scope, load_cells, load_counts
from monitoring.traffic.windows import load_failures
from monitoring.windows import Grain, Window, ceil, floor

WEEKS = timedelta(days=28)
FEEDBACK_STRETCHES = 14
# In hours, a report has 1,500 groups at most.
FEEDBACK_SPAN = timedelta(days=60)


def ask_traffic(question: Question, options: TrafficOptions) -> Answer:
    """Of all versions together: a promotion moves traffic, it does not end it."""
    # The minute that runs is left out; rows follow their answers within a second.
    end = floor(question.at, Grain.MINUTE)
    start = floor(end - timedelta(seconds=question.window), Grain.MINUTE)
    known_from = floor(end - WEEKS, Grain.HOUR)
    first = _first_hour(question.model, known_from)
    return traffic.answer(
        replace(question, at=end),
        options,
        traffic.TrafficFacts(
            hours=_counts(question.model, Window(known_from, floor(end, Grain.HOUR)), By.HOUR),
            minutes=_counts(question.model, Window(start, end), By.MINUTE),
            first=first,
        ),
    )


def ask_feedback(question: Question, options: FeedbackOptions) -> Answer:
    length = timedelta(seconds=question.window)
    end = floor(question.at, Grain.HOUR)
    n_stretches = min(FEEDBACK_STRETCHES, int(FEEDBACK_SPAN / length) - 1)
    window = Window(floor(end - (n_stretches + 1) * length, Grain.HOUR), end)
    answered = _counts(question.model, window, By.HOUR)
    labels = _labels(question.model, window)
    stretches = [
        _stretch(labels, answered, end - (i + 1) * length, end - i * length)
        for i in range(n_stretches + 1)
    ]
    first = min(labels, default=None)
    known = [s for i, s in enumerate(stretches) if first and end - (i + 1) * length >= first]
    return feedback.answer(
        question, options, FeedbackFacts(now=stretches[0], earlier=tuple(known[1:]))
    )


def ask_errors(question: Question, options: ErrorsOptions) -> Answer:
    length = timedelta(seconds=question.window)
    window = Window(floor(question.at - length, Grain.MINUTE), ceil(question.at, Grain.MINUTE))
    counts = load_counts(Scope(model=question.model, window=window, version=question.version))
    failures = load_failures(question.model, question.version, window)
    facts = errors.ErrorFacts(n_answered=sum(counts.values()), failures=failures)
    return errors.answer(question, options, facts)


def _counts(model: str, window: Window, by: By) -> dict[datetime, int]:
    if window.start >= window.end:
        return {}
    counts = load_counts(Scope(model=model, window=window, by=by))
    return {at: n for at, n in counts.items() if isinstance(at, datetime)}


def _labels(model: str, window: Window) -> Counter[datetime]:
    """How many labels arrived in each hour."""
    scope = Scope(model=model, window=window, by=By.HOUR, clock=Clock.ARRIVED)
    return Counter(
        {
            at: sum(cells.values())
            for at, cells in load_cells(scope).items()
            if isinstance(at, datetime)
        }
    )


def _stretch(
    labels: Counter[datetime], answered: dict[datetime, int], start: datetime, end: datetime
) -> Stretch:
    return Stretch(
        n_labels=sum(n for at, n in labels.items() if start <= at < end),
        n_answered=sum(n for at, n in answered.items() if start <= at < end),
    )


def _first_hour(model: str, earliest: datetime) -> datetime | None:
    """The first whole hour with traffic, `earliest` at the earliest; None where none ever came."""
    rows = PredictionCount.objects.filter(model=model, grain=Grain.HOUR)
    first = rows.order_by("bucket").values_list("bucket", flat=True).first()
    if first is None:
        return None
    # The first hour was not there from its beginning.
    return max(first + timedelta(hours=1), earliest)
