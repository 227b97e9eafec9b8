import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.stats import median_of, percentile, ratio


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_percentiles_are_numpys(values: list[float], share: float) -> None:
    assert percentile(sorted(values), share) == pytest.approx(float(np.quantile(values, share)))


def test_nothing_measured_has_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_round_without_a_figure_leaves_no_median() -> None:
    assert median_of([1.0, 2.0, 9.0], lambda value: value) == 2.0
    assert math.isnan(median_of([1.0, math.nan, 9.0], lambda value: value))
    assert math.isnan(median_of([], float))


def test_a_ratio_to_nothing_has_no_meaning() -> None:
    assert ratio(3, 2) == 1.5
    assert math.isnan(ratio(3, 0))
    assert math.isnan(ratio(3, math.nan))
