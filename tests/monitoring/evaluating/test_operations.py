"""Failed requests, slow answers, monitors that are stuck."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from inference.http.errors import STATUS
from monitoring.drift import grids
from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.options import ErrorsOptions, LatencyOptions, StuckOptions
from monitoring.evaluating.questions import errors, latency, stuck
from monitoring.evaluating.questions.stuck import Watched
from monitoring.faults import SERVER_FAULTS
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.evaluating.builders import MODEL, NOW


def question(alpha: float = 1e-5) -> Question:
    return Question(model=MODEL, version=1, at=NOW, window=900, by_count=False, alpha=alpha)


def ask_errors(n_answered: int, **failures: int) -> Answer:
    facts = errors.ErrorFacts(n_answered=n_answered, failures=failures)
    return errors.answer(question(), ErrorsOptions(), facts)


def test_a_few_failures_are_within_what_is_tolerated() -> None:
    assert ask_errors(1000, internal_error=10).verdict is Verdict.OK


def test_more_failures_than_tolerated_are_a_warning() -> None:
    given = ask_errors(1000, internal_error=60)
    assert (given.verdict, given.severity) == (Verdict.BREACH, Severity.WARNING)
    assert "internal_error" in given.summary


def test_more_failures_than_answers_are_critical() -> None:
    assert ask_errors(10, lane_failed=90).severity is Severity.CRITICAL


def test_what_callers_do_wrong_is_not_the_servers_fault() -> None:
    assert ask_errors(100, text_too_long=500, queue_full=500).verdict is Verdict.OK


def test_a_handful_of_requests_says_nothing() -> None:
    assert ask_errors(2, internal_error=3).verdict is Verdict.INSUFFICIENT_DATA


def test_every_server_fault_is_an_error_that_exists() -> None:
    known = {code for code, status in STATUS.items() if status >= 500}
    assert SERVER_FAULTS - known <= {"remote_failed"}


def test_a_tolerated_rate_alarms_no_more_often_than_its_level() -> None:
    rng, n, alpha = np.random.default_rng(5), 2000, 0.01
    faults = rng.binomial(2000, ErrorsOptions().rate, n)
    n_alarms = sum(
        errors.answer(
            question(alpha),
            ErrorsOptions(),
            errors.ErrorFacts(n_answered=2000 - k, failures={"internal_error": k}),
        ).verdict
        is Verdict.BREACH
        for k in map(int, faults)
    )
    assert n_alarms <= stats.binom.ppf(0.9999, n, alpha)


def ask_latency(now: Any, earlier: Any, alpha: float = 1e-5) -> Answer:
    facts = latency.LatencyFacts(
        window=grids.count(now, grids.SECONDS),
        earlier=grids.count(earlier, grids.SECONDS),
        start=NOW - timedelta(hours=1),
        end=NOW,
    )
    return latency.answer(question(alpha), LatencyOptions(), facts)


def seconds(rng: np.random.Generator, n: int, scale: float = 1.0) -> Any:
    return rng.gamma(4, 0.02, n) * scale


def test_answers_as_fast_as_ever_are_fine() -> None:
    rng = np.random.default_rng(6)
    assert ask_latency(seconds(rng, 1000), seconds(rng, 5000)).verdict is Verdict.OK


def test_answers_three_times_as_slow_are_a_warning() -> None:
    rng = np.random.default_rng(6)
    given = ask_latency(seconds(rng, 1000, 3), seconds(rng, 5000))
    assert (given.verdict, given.severity) == (Verdict.BREACH, Severity.WARNING)
    assert given.effect == pytest.approx(3, rel=0.3)


def test_answers_that_nobody_notices_are_not_slow() -> None:
    rng = np.random.default_rng(6)
    assert ask_latency(seconds(rng, 1000, 0.1), seconds(rng, 5000, 0.02)).verdict is Verdict.OK


def test_equal_latencies_alarm_no_more_often_than_their_level() -> None:
    rng, n, alpha = np.random.default_rng(7), 300, 0.05
    n_alarms = sum(
        ask_latency(seconds(rng, 300, 3), seconds(rng, 300, 3), alpha).verdict is Verdict.BREACH
        for _ in range(n)
    )
    assert n_alarms <= stats.binom.ppf(0.9999, n, alpha)


def test_a_version_that_has_just_begun_has_no_earlier_latency() -> None:
    rng = np.random.default_rng(6)
    assert ask_latency(seconds(rng, 1000), []).verdict is Verdict.INSUFFICIENT_DATA


def watched(**changes: Any) -> Watched:
    fields = {"name": "drift", "every_s": 60, "since": NOW, "n_errors": 0}
    return Watched(**(fields | changes))


def ask_stuck(*others: Watched) -> Answer:
    return stuck.answer(question(), StuckOptions(), others)


def test_monitors_that_are_evaluated_are_fine() -> None:
    assert ask_stuck(watched(), watched(name="quality")).verdict is Verdict.OK


def test_a_monitor_that_is_late_by_several_periods_is_stuck() -> None:
    given = ask_stuck(watched(since=NOW - timedelta(hours=1)), watched(name="quality"))
    assert (given.verdict, given.severity) == (Verdict.BREACH, Severity.WARNING)
    assert given.summary == "drift is late"


def test_a_little_late_is_not_stuck() -> None:
    assert ask_stuck(watched(since=NOW - timedelta(minutes=12))).verdict is Verdict.OK


def test_a_monitor_that_fails_again_and_again_is_stuck() -> None:
    assert ask_stuck(watched(n_errors=1)).verdict is Verdict.OK
    given = ask_stuck(watched(n_errors=2, error="no such table"))
    assert given.verdict is Verdict.BREACH
    assert "no such table" in given.summary


def test_a_monitor_without_traffic_is_not_waited_for() -> None:
    assert ask_stuck(watched(since=None)).verdict is Verdict.OK
