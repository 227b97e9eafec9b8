import numpy as np
import pytest
from scipy import stats

from monitoring.drift.tails import auc_equivalent, effect_of, quantile, tail

# Weights that fall like those of Cramér-von Mises: the hardest case of two moments.
STEEP = 1 / (np.pi * np.arange(1, 200)) ** 2
TRACES = tuple(float((STEEP**power).sum()) for power in (1, 2, 3))


@pytest.mark.parametrize(("value", "p"), [(0.4614, 0.05), (0.7435, 0.01), (1.1679, 0.001)])
def test_the_tail_agrees_with_the_published_table_of_a_steep_mixture(
    value: float, p: float
) -> None:
    assert tail(value, *TRACES) == pytest.approx(p, rel=0.1)


def test_two_moments_alone_would_alarm_thrice_as_often() -> None:
    assert tail(1.1679, *TRACES[:2]) < 0.0005


@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-6, 1e-9])
def test_equal_weights_give_the_chi_square_itself(alpha: float) -> None:
    assert quantile(alpha, 7, 7, 7) == pytest.approx(stats.chi2(7).isf(alpha))
    assert tail(quantile(alpha, 7, 7, 7), 7, 7, 7) == pytest.approx(alpha)


def test_an_impossible_third_moment_is_brought_to_the_nearest_possible() -> None:
    assert tail(20, 10, 10, -5) == tail(20, 10, 10, 10)
    assert tail(20, 10, 10, 1e9) == tail(20, 10, 10, 10**1.5)


def test_a_value_below_the_support_is_certain() -> None:
    assert tail(0, *TRACES) == 1.0


def test_the_effect_does_not_grow_with_the_window() -> None:
    # A mean shift of 0.2 sd in one dimension, as a chi-square with its expected value.
    effects = [effect_of(1 + 0.04 / (1 / n + 1 / 5000), 1, n, 5000) for n in (100, 1000, 10_000)]
    assert effects == pytest.approx([auc_equivalent(0.04)] * 3)


def test_less_than_expected_by_chance_is_no_effect() -> None:
    assert effect_of(3.0, 10.0, 100, 1000) == 0.5
