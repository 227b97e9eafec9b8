"""Percentiles by histogram lie in the bin of the exact ones; those by value are exact."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.drift import grids
from monitoring.timelines import percentiles

SHARES = (0.1, 0.5, 0.9, 0.95, 0.99, 1.0)
STEP = float(grids.SECONDS[1] / grids.SECONDS[0])


def exact(values: list[float], share: float) -> float:
    """By definition: the smallest value that so many are not above."""
    ordered = sorted(values)
    return next(v for i, v in enumerate(ordered, 1) if i / len(ordered) >= share - 1e-12)


@given(st.lists(st.floats(0.0001, 100), min_size=1, max_size=60))
def test_latency_is_off_by_less_than_a_bin(values: list[float]) -> None:
    counts = np.stack([grids.count(values, grids.SECONDS), np.zeros(64, np.int64)])
    found = percentiles.of_latencies(counts, SHARES)
    for row, share in zip(found, SHARES, strict=True):
        assert 1 / STEP - 1e-9 <= row[0] / exact(values, share) <= STEP + 1e-9
        assert math.isnan(row[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_confidence_is_off_by_less_than_a_bin(values: list[float]) -> None:
    found = percentiles.of_probabilities(grids.count(values, grids.PROBABILITY)[None], SHARES)
    for row, share in zip(found, SHARES, strict=True):
        true = exact(values, share)
        assert abs(row[0] - true) <= 0.065
        if true > 0.98:
            assert abs(row[0] - true) <= 0.01


def test_many_values_of_one_bin_are_spread_over_it() -> None:
    values = np.geomspace(0.01, 0.0124, 1000)
    counts = grids.count(values, grids.SECONDS)[None]
    found = percentiles.of_latencies(counts, (0.5,))[0, 0]
    assert found == pytest.approx(float(np.median(values)), rel=0.03)


def test_what_lies_beyond_the_bins_is_at_their_end() -> None:
    counts = grids.count([1e-6, 1000.0], grids.SECONDS)[None]
    found = percentiles.of_latencies(counts, (0.5, 1.0))[:, 0]
    assert found.tolist() == pytest.approx([1e-4, 100.0])


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 10, allow_subnormal=False)), max_size=80))
def test_percentiles_of_values_are_exact(rows: list[tuple[int, float]]) -> None:
    places = np.array([place for place, _ in rows], np.int64)
    values = np.array([value for _, value in rows], np.float64)
    found = percentiles.of_values(values, places, 5, SHARES)
    for place in range(5):
        of_step = [value for each, value in rows if each == place]
        for row, share in zip(found, SHARES, strict=True):
            if of_step:
                assert row[place] == exact(of_step, share)
            else:
                assert math.isnan(row[place])
