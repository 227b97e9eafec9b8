"""Labels that have not come yet are not labels that never come."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitoring.quality.maturity import (
    DelayCurve,
    binned_delay_curve,
    coverage,
    coverage_change,
    delay_curve,
    is_mature,
    mature_until,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = 3600.0


def observed(
    n: int, rng: np.random.Generator, *, share: float = 0.3, mean_s: float = HOUR
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of the last day, of which `share` are labelled after an exponential delay."""
    age = rng.uniform(0, 24 * HOUR, n)
    delay = np.where(rng.random(n) < share, rng.exponential(mean_s, n), np.inf)
    return np.minimum(delay, age), delay <= age


def test_the_curve_finds_delay_and_share_although_many_are_still_waiting() -> None:
    rng = np.random.default_rng(101)
    curve = delay_curve(*observed(20_000, rng))
    assert curve.final_share == pytest.approx(0.3, abs=0.02)
    assert curve.quantile_s(0.5) == pytest.approx(np.log(2) * HOUR, rel=0.1)
    assert curve.quantile_s(0.95) == pytest.approx(np.log(20) * HOUR, rel=0.15)


def test_without_censoring_young_predictions_would_hide_slow_labels() -> None:
    rng = np.random.default_rng(102)
    delay, labelled = observed(20_000, rng, mean_s=12 * HOUR)
    curve = delay_curve(delay, labelled)
    naive = float(np.median(delay[labelled]))
    assert (curve.quantile_s(0.5) or 0) > 1.15 * naive


def test_bins_give_nearly_the_same_curve() -> None:
    rng = np.random.default_rng(103)
    delay, labelled = observed(20_000, rng)
    ends = np.arange(600, 25 * HOUR, 600)
    places = np.searchsorted(ends, delay)
    counts = [np.bincount(places[mask], minlength=len(ends)) for mask in (labelled, ~labelled)]
    binned, exact = binned_delay_curve(ends, *counts), delay_curve(delay, labelled)
    assert binned.n == exact.n
    assert binned.final_share == pytest.approx(exact.final_share, abs=0.01)
    assert binned.quantile_s(0.95) == pytest.approx(exact.quantile_s(0.95), rel=0.1)


def test_the_curve_is_kaplan_and_meier_s() -> None:
    from scipy import stats

    rng = np.random.default_rng(104)
    delay = np.round(rng.exponential(10, 300))
    labelled = rng.random(300) < 0.6
    curve = delay_curve(delay, labelled)
    data = stats.CensoredData(uncensored=delay[labelled], right=delay[~labelled])
    expected = stats.ecdf(data).cdf.evaluate(curve.delay_s)
    assert curve.share == pytest.approx(expected)


def test_no_label_makes_no_curve() -> None:
    for curve in (delay_curve([], []), delay_curve([1.0, 2.0], [False, False])):
        assert (curve.final_share, curve.quantile_s(0.95)) == (0.0, None)
        assert not curve.is_sufficient
        assert curve.share_at([5.0]).tolist() == [0.0]


def test_a_window_is_mature_once_it_is_older_than_the_95th_percentile() -> None:
    assert is_mature(NOW - timedelta(hours=3), NOW, 3 * HOUR)
    assert not is_mature(NOW - timedelta(hours=2), NOW, 3 * HOUR)
    assert not is_mature(NOW - timedelta(days=900), NOW, None)
    assert mature_until(NOW, 3 * HOUR) == NOW - timedelta(hours=3)


def usual() -> DelayCurve:
    return delay_curve(*observed(20_000, np.random.default_rng(105)))


def test_usual_labels_raise_no_suspicion_more_often_than_the_level() -> None:
    rng = np.random.default_rng(106)
    curve, ages = usual(), np.array([0.5, 2.0, 12.0]) * HOUR
    n = np.array([400, 400, 400])
    p_values = []
    for _ in range(500):
        came = rng.binomial(n, curve.share_at(ages)).sum()
        p_values.append(coverage(curve, ages, n, int(came)).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 0.02  # two standard errors


def test_a_dead_pipe_of_labels_is_found_while_its_window_is_young() -> None:
    curve = usual()
    found = coverage(curve, [2 * HOUR], np.array([400]), 60)
    assert found.expected == pytest.approx(400 * 0.3 * (1 - np.exp(-2)), rel=0.1)
    assert found.p_value < 1e-4
    assert coverage(curve, [0.0], np.array([400]), 0).p_value == 1.0


def test_a_change_of_coverage_between_mature_windows_is_tested_exactly() -> None:
    assert coverage_change(100, 1000, 100, 1000) == 1.0
    assert coverage_change(60, 1000, 100, 1000) < 0.01
    assert coverage_change(0, 0, 100, 1000) == 1.0
