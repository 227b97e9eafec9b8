"""Embeddings on a plane."""

import numpy as np
import pytest

from monitoring.drift.projection import fit_plane


@pytest.fixture
def rows() -> np.ndarray:
    rng = np.random.default_rng(7)
    return (rng.normal(size=(80, 5)) * [5, 3, 1, 0.5, 0.1] + 2).astype(np.float32)


def test_the_axes_are_orthonormal_and_ordered(rows: np.ndarray) -> None:
    plane = fit_plane(rows)
    assert np.allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-6)
    first, second = plane.explained
    assert first > second > 0
    assert first + second < 1


def test_the_points_have_the_variance_that_is_said(rows: np.ndarray) -> None:
    plane = fit_plane(rows)
    spread = plane.project(rows).var(axis=0) / rows.astype(np.float64).var(axis=0).sum()
    assert np.allclose(spread, plane.explained, atol=1e-5)


def test_the_order_of_the_rows_changes_nothing(rows: np.ndarray) -> None:
    turned = fit_plane(rows[::-1])
    assert np.allclose(turned.axes, fit_plane(rows).axes, atol=1e-6)


def test_the_largest_coefficient_of_an_axis_is_positive(rows: np.ndarray) -> None:
    for sign in (1, -1):
        axes = fit_plane((sign * rows).astype(np.float32)).axes
        assert (axes[np.arange(2), np.abs(axes).argmax(axis=1)] > 0).all()


@pytest.mark.parametrize(
    "rows", [np.ones((1, 3)), np.ones((4, 3)), np.ones((3, 1))], ids=["one", "equal", "one-wide"]
)
def test_rows_without_any_spread_lie_at_the_origin(rows: np.ndarray) -> None:
    plane = fit_plane(rows.astype(np.float32))
    assert plane.explained == (0.0, 0.0)
    assert np.array_equal(plane.project(rows.astype(np.float32)), np.zeros((len(rows), 2)))
