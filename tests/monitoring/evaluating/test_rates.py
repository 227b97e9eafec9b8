"""Missing traffic and missing feedback: rare by chance, seen when real."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from monitoring.evaluating.answers import Question
from monitoring.evaluating.options import FeedbackOptions, TrafficOptions
from monitoring.evaluating.questions import feedback, traffic
from monitoring.evaluating.questions.feedback import FeedbackFacts, Stretch
from monitoring.evaluating.questions.rates import (
    FEWEST_HOURS,
    HOUR,
    WEEK_HOURS,
    Expectation,
    at_most,
    expect,
)
from monitoring.evaluating.questions.traffic import TrafficFacts
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.evaluating.builders import MODEL

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
OPTIONS = TrafficOptions()


def question(at: datetime, *, window: int = 4 * 3600, alpha: float = 1e-5) -> Question:
    return Question(model=MODEL, version=1, at=at, window=window, by_count=False, alpha=alpha)


def history(
    rng: np.random.Generator, n_hours: int, *, base: float = 200, dispersion: float = 5
) -> dict[datetime, int]:
    """Hourly counts with days, weekends, and `dispersion` times Poisson's variance."""
    hours = np.arange(n_hours)
    week = hours % WEEK_HOURS
    mean = base * (1 + 0.8 * np.sin(2 * np.pi * hours / 24)) * np.where(week >= 120, 0.6, 1)
    rate = rng.gamma(mean / (dispersion - 1), dispersion - 1)
    return {FIRST + int(i) * HOUR: int(n) for i, n in enumerate(rng.poisson(rate)) if n}


@pytest.mark.parametrize(("mean", "variance"), [(20.0, 20.0), (20.0, 60.0), (300.0, 9000.0)])
def test_the_tail_is_that_of_scipy(mean: float, variance: float) -> None:
    for observed in (0, 5, 20, 200):
        p = mean / variance
        if variance == mean:
            expected = stats.poisson.cdf(observed, mean)
        else:
            expected = stats.nbinom.cdf(observed, mean * p / (1 - p), p)
        assert at_most(observed, Expectation(mean, variance, "")) == pytest.approx(expected)


def test_where_nothing_is_expected_nothing_can_be_missing() -> None:
    assert at_most(0, Expectation(0.0, 0.0, "")) == 1.0


@pytest.mark.parametrize("weeks", [2, 4])
def test_bursts_by_the_hour_of_the_week_alarm_no_more_often_than_they_may(weeks: int) -> None:
    rng, n, alpha = np.random.default_rng(weeks), 400, 0.05
    n_alarms = 0
    for _ in range(n):
        counts = history(rng, weeks * WEEK_HOURS + 1)
        last = FIRST + weeks * WEEK_HOURS * HOUR
        expected = expect(counts, last, last + HOUR, first=FIRST)
        assert expected is not None
        n_alarms += at_most(counts.get(last, 0), expected) <= alpha
    # 1 in 10,000 of such tests would fail by chance if the level were met exactly.
    assert n_alarms <= stats.binom.ppf(0.9999, n, alpha)


def test_an_hour_is_compared_with_the_same_hours_of_the_weeks_before() -> None:
    counts = history(np.random.default_rng(0), 4 * WEEK_HOURS)
    last = FIRST + 4 * WEEK_HOURS * HOUR
    for hour in (6, 18):
        start = last + hour * HOUR
        padded = counts | {last + i * HOUR: 100 for i in range(hour)}
        expected = expect(padded, start, start + HOUR / 2, first=FIRST)
        same = [padded.get(start - w * WEEK_HOURS * HOUR, 0) for w in range(1, 5)]
        assert expected is not None
        assert expected.mean == pytest.approx(np.mean(same) / 2)
        assert "4 weeks" in expected.method


def test_twice_the_time_has_twice_the_mean_and_four_times_the_surplus() -> None:
    counts = history(np.random.default_rng(0), 48)
    last = FIRST + 48 * HOUR
    one, two = (expect(counts, last, last + i * HOUR, first=FIRST) for i in (1, 2))
    assert one is not None
    assert two is not None
    assert two.mean == pytest.approx(2 * one.mean)
    assert two.variance - two.mean == pytest.approx(4 * (one.variance - one.mean))


def test_under_six_hours_of_history_expect_nothing() -> None:
    start = FIRST + (FEWEST_HOURS - 1) * HOUR
    assert expect({FIRST: 10}, start, start + HOUR, first=FIRST) is None


def facts_until(end: datetime, counts: dict[datetime, int], *, per_minute: int) -> TrafficFacts:
    minutes = {end - timedelta(minutes=i): per_minute for i in range(1, 241) if per_minute}
    return TrafficFacts(hours=counts, minutes=minutes, first=FIRST)


def test_usual_traffic_is_fine() -> None:
    counts = history(np.random.default_rng(1), 4 * WEEK_HOURS)
    end = FIRST + (4 * WEEK_HOURS) * HOUR
    given = traffic.answer(question(end), OPTIONS, facts_until(end, counts, per_minute=3))
    assert given.verdict is Verdict.OK


def test_no_traffic_where_there_always_was_is_critical() -> None:
    counts = history(np.random.default_rng(1), 4 * WEEK_HOURS)
    end = FIRST + (4 * WEEK_HOURS) * HOUR
    given = traffic.answer(question(end), OPTIONS, facts_until(end, counts, per_minute=0))
    assert (given.verdict, given.severity) == (Verdict.BREACH, Severity.CRITICAL)
    assert given.effect == 1.0
    # The shortest part of the window that should hold enough is enough.
    assert given.window_start == end - timedelta(minutes=15)


def test_a_trickle_is_a_warning() -> None:
    counts = history(np.random.default_rng(1), 4 * WEEK_HOURS, base=6000)
    end = FIRST + (4 * WEEK_HOURS) * HOUR
    given = traffic.answer(question(end), OPTIONS, facts_until(end, counts, per_minute=1))
    assert (given.verdict, given.severity) == (Verdict.BREACH, Severity.WARNING)


def test_half_of_the_traffic_is_not_missing_traffic() -> None:
    counts = dict.fromkeys((FIRST + i * HOUR for i in range(4 * WEEK_HOURS)), 6000)
    end = FIRST + (4 * WEEK_HOURS) * HOUR
    given = traffic.answer(question(end), OPTIONS, facts_until(end, counts, per_minute=50))
    assert given.p_value is not None
    assert given.p_value < 1e-5
    assert given.verdict is Verdict.OK


def test_a_model_that_is_hardly_used_cannot_miss_anything() -> None:
    counts = {FIRST + i * HOUR: 1 for i in range(0, 4 * WEEK_HOURS, 10)}
    end = FIRST + 4 * WEEK_HOURS * HOUR
    given = traffic.answer(question(end), OPTIONS, facts_until(end, counts, per_minute=0))
    assert given.verdict is Verdict.INSUFFICIENT_DATA


def test_a_model_that_was_never_used_cannot_miss_anything() -> None:
    given = traffic.answer(question(FIRST), OPTIONS, TrafficFacts(hours={}, minutes={}, first=None))
    assert given.verdict is Verdict.INSUFFICIENT_DATA


def stretches(rng: np.random.Generator, n: int, *, rate: float = 0.1) -> list[Stretch]:
    answered = rng.integers(800, 1200, n)
    labels = rng.poisson(rng.gamma(rate * answered / 2, 2))
    return [Stretch(int(a), int(b)) for a, b in zip(labels, answered, strict=True)]


def ask_feedback(now: Stretch, earlier: list[Stretch]) -> object:
    facts = FeedbackFacts(now=now, earlier=earlier)
    return feedback.answer(question(FIRST, window=86_400), FeedbackOptions(), facts).verdict


def test_labels_as_usual_are_fine() -> None:
    now, *earlier = stretches(np.random.default_rng(2), 15)
    assert ask_feedback(now, earlier) is Verdict.OK


def test_a_feedback_pipe_that_died_is_seen() -> None:
    earlier = stretches(np.random.default_rng(2), 14)
    assert ask_feedback(Stretch(0, 1000), earlier) is Verdict.BREACH


def test_without_requests_no_labels_are_missing() -> None:
    earlier = stretches(np.random.default_rng(2), 14)
    assert ask_feedback(Stretch(0, 0), earlier) is Verdict.INSUFFICIENT_DATA


def test_where_feedback_never_came_none_is_missing() -> None:
    earlier = [Stretch(0, 1000)] * 14
    assert ask_feedback(Stretch(0, 1000), earlier) is Verdict.INSUFFICIENT_DATA


def test_labels_that_come_once_a_week_are_not_missed_on_other_days() -> None:
    earlier = [Stretch(700 if i % 7 == 3 else 0, 1000) for i in range(14)]
    assert ask_feedback(Stretch(0, 1000), earlier) is Verdict.OK
