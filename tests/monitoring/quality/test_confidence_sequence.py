"""The truth lies within all intervals of a sequence at once, about as often as it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.quality import intervals
from monitoring.quality.confidence_sequence import (
    Bounds,
    Totals,
    plain_totals,
    sequence,
    totals_of,
)
from tests.monitoring.quality.streams import outcomes

LOOKS = (10, 20, 40, 80, 160, 320, 640, 1280)


def held(rate: float, weights: tuple[float, float], rng: np.random.Generator) -> bool:
    """Whether every look held the rate among all, of which the second weight's are asked less."""
    n = LOOKS[-1]
    is_rare = rng.random(n) < 0.5
    drawn = np.where(is_rare, *weights[::-1])
    bad = rng.random(n) < rate
    for look in LOOKS:
        rows = outcomes(bad[:look], drawn[:look])
        bounds = sequence(totals_of(rows, largest_weight=max(weights)))
        if not bounds.low <= rate <= bounds.high:
            return False
    return True


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (2.0, 8.0)])
def test_all_looks_together_hold_the_truth_95_times_in_100(
    rate: float, weights: tuple[float, float]
) -> None:
    rng = np.random.default_rng(21)
    runs = 150
    n_held = sum(held(rate, weights, rng) for _ in range(runs))
    assert n_held / runs >= 0.95 - 0.036  # two standard errors of 150 runs


def test_one_look_s_intervals_do_not_when_one_looks_often() -> None:
    rng = np.random.default_rng(22)
    runs, rate, n_held = 300, 0.1, 0
    for _ in range(runs):
        bad = (rng.random(LOOKS[-1]) < rate).cumsum()
        low, high = intervals.proportion(bad[np.array(LOOKS) - 1], np.array(LOOKS))
        n_held += bool(((low <= rate) & (rate <= high)).all())
    assert n_held / runs < 0.93


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.5, 50)), min_size=1, max_size=80))
def test_bounds_hold_the_estimate_and_stay_rates(rows: list[tuple[bool, float]]) -> None:
    totals = totals_of(outcomes(*zip(*rows, strict=True)), largest_weight=50.0)
    bounds = sequence(totals)
    assert totals.rate is not None
    assert 0 <= bounds.low <= totals.rate + 1e-6
    assert totals.rate - 1e-6 <= bounds.high <= 1


def test_nothing_labelled_says_nothing() -> None:
    assert sequence(Totals()) == Bounds(0.0, 1.0)


def test_sums_of_parts_are_the_whole_s() -> None:
    rng = np.random.default_rng(23)
    rows = outcomes(rng.random(300) < 0.2, rng.choice([1.0, 4.0], 300))
    parts = totals_of(rows[:100]) + totals_of(rows[100:])
    whole = totals_of(rows)
    assert parts.n == whole.n == 300
    assert sequence(parts).low == pytest.approx(sequence(whole).low, abs=1e-6)


def test_a_huge_stream_is_bounded_tightly_and_quickly() -> None:
    totals = plain_totals(10**8, 10**7)
    bounds = sequence(totals)
    assert 0.0997 < bounds.low < 0.1 < bounds.high < 0.1003


def test_a_bound_that_was_too_wide_at_first_does_not_widen_what_comes_later() -> None:
    rng = np.random.default_rng(24)
    rows = outcomes(rng.random(2000) < 0.1, rng.choice([5.0, 10.0], 2000))
    first, later = rows[:50], rows[50:]
    loose = totals_of(first, largest_weight=200.0)
    mixed = sequence(loose + totals_of(later, largest_weight=10.0))
    tight, wide = (sequence(totals_of(rows, largest_weight=bound)) for bound in (10.0, 200.0))
    widths = [bounds.high - bounds.low for bounds in (tight, mixed, wide)]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert widths[2] > 1.5 * widths[0]


def test_totals_of_equal_weights_are_the_plain_ones() -> None:
    assert totals_of(outcomes([True, False, False])) == plain_totals(3, 1)
