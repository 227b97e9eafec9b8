from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.contrasts import (
    Contrast,
    compare_categories,
    compare_ordered,
    compare_shares,
    exceeds,
    is_larger,
)
from tests.monitoring.drift.builders import assert_level, assert_used

N_DRAWS = 1000
COMMON = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.01, 0.005, 0.005])
BELL = np.diff(stats.norm.cdf(np.linspace(-3, 3, 63)), prepend=0, append=1)
BELL = BELL / BELL.sum()
MOSTLY_NONE = np.concatenate([[0.97], np.full(10, 0.003), np.zeros(53)])


def null(
    compare: Callable[..., Contrast], shares: np.ndarray, n_reference: int, n: int
) -> list[float]:
    rng = np.random.default_rng(0)
    return [
        compare(rng.multinomial(n_reference, shares), rng.multinomial(n, shares)).p_value
        for _ in range(N_DRAWS)
    ]


@pytest.mark.parametrize(("n_reference", "n"), [(2000, 1000), (200, 50), (5000, 50)])
@pytest.mark.parametrize(
    ("compare", "shares", "least"),
    [
        (compare_categories, COMMON, 0.5),
        (compare_ordered, BELL, 0.4),
        (compare_ordered, MOSTLY_NONE, 0.1),
        (is_larger, BELL, 0.8),
    ],
)
def test_levels_hold_on_quiet_counts(
    compare: Callable[..., Contrast], shares: np.ndarray, least: float, n_reference: int, n: int
) -> None:
    p_values = null(compare, shares, n_reference, n)
    for level in (0.05, 0.01):
        assert_level(p_values, level, times=1.1)
    assert_used(p_values, 0.05, least=least)


def test_rare_shares_are_judged_exactly() -> None:
    found = compare_shares(0, 300, 3, 100)
    exact = stats.fisher_exact([[0, 300], [3, 97]], alternative="less").pvalue
    assert found.p_value == pytest.approx(2 * exact)


def test_shares_that_nobody_has_are_no_difference() -> None:
    assert compare_shares(0, 300, 0, 100).p_value == 1.0
    assert compare_shares(300, 300, 100, 100).p_value == 1.0


def test_a_category_that_appears_anew_is_seen_beside_many_common_ones() -> None:
    found = compare_categories(np.array([4000, 4000, 0]), np.array([90, 90, 20]))
    assert found.p_value < 1e-9
    assert found.effect > 0.6


def test_a_single_category_is_no_difference() -> None:
    assert compare_categories(np.array([400]), np.array([90])) == Contrast(0.0, 1.0, 0.5)


def test_a_shift_of_all_bins_is_seen() -> None:
    rng = np.random.default_rng(3)
    before, now = rng.multinomial(2000, BELL), rng.multinomial(200, np.roll(BELL, 8))
    found = compare_ordered(before, now)
    assert found.p_value < 1e-8
    # Eight of 63 bins over six sd: two normals 0.77 sd apart have an AUC of 0.71.
    assert found.effect == pytest.approx(0.71, abs=0.07)


@pytest.mark.parametrize("to", [0, 31, 63])
def test_a_few_items_that_leave_a_crowded_bin_are_seen_to_either_side(to: int) -> None:
    before, now = np.zeros(64, np.int64), np.zeros(64, np.int64)
    before[32], now[32], now[to] = 10_000, 40, 10
    assert compare_ordered(before, now).p_value < 1e-9


def test_only_larger_values_alarm_a_one_sided_test() -> None:
    rng = np.random.default_rng(4)
    before, now = rng.multinomial(2000, BELL), rng.multinomial(200, BELL)
    assert is_larger(before, np.roll(now, 8)).p_value < 1e-6
    assert is_larger(before, np.roll(now, -8)).p_value > 0.999


def test_ties_in_one_bin_say_nothing() -> None:
    same = np.array([0, 300, 0])
    assert is_larger(same, same).p_value == 1.0
    assert compare_ordered(same, same).p_value == 1.0


def test_an_excess_within_the_tolerance_is_no_news() -> None:
    assert exceeds(0, 1000, 40, 1000, 0.05).p_value > 0.9
    assert exceeds(0, 1000, 100, 1000, 0.05).p_value < 1e-6
    assert exceeds(0, 1000, 0, 1000, 0.05).p_value == 1.0
