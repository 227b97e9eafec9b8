import numpy as np
import pytest
from scipy import stats

from monitoring.drift.blocks import block_rows, checked_threshold, resampled, stationary_rows

CHI_SQUARE = stats.chi2(1)


def closed_form(alpha: float) -> float:
    return float(CHI_SQUARE.isf(alpha))


def autocorrelated(n: int, keeps: float, rng: np.random.Generator) -> np.ndarray:
    values = rng.standard_normal(n)
    for i in range(1, n):
        values[i] = keeps * values[i - 1] + (1 - keeps**2) ** 0.5 * values[i]
    return values


def quiet_statistics(history: np.ndarray, block: int) -> list[float]:
    """The squared mean of windows of 100, which is chi-square(1) for independent values."""
    return resampled(
        lambda rows: 100 * float(history[rows].mean() - history.mean()) ** 2,
        n_history=len(history),
        n_window=100,
        block=block,
        n_resamples=1000,
        rng=np.random.default_rng(1),
    )


@pytest.mark.parametrize("rows_of", [block_rows, stationary_rows])
def test_windows_consist_of_runs_of_neighbours(rows_of: type) -> None:
    rows = rows_of(1000, 400, 20, np.random.default_rng(2))
    assert rows.shape == (400,)
    assert 0 <= rows.min() <= rows.max() < 1000
    n_steps = int((np.diff(rows) % 1000 == 1).sum())
    assert 330 <= n_steps <= 395


@pytest.mark.parametrize("rows_of", [block_rows, stationary_rows])
def test_every_item_is_equally_likely(rows_of: type) -> None:
    rng = np.random.default_rng(3)
    drawn = np.concatenate([rows_of(20, 30, 7, rng) for _ in range(2000)])
    counts = np.bincount(drawn, minlength=20)
    # Runs hang together, so the counts vary more than independent ones; the ends lose nothing.
    assert counts.min() > 0.9 * counts.mean()


@pytest.mark.parametrize("rows_of", [block_rows, stationary_rows])
def test_sizes_below_one_are_refused(rows_of: type) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        rows_of(0, 10, 5, np.random.default_rng(0))


def test_independent_history_leaves_the_closed_form_nearly_alone() -> None:
    history = np.random.default_rng(4).standard_normal(20_000)
    found = checked_threshold(closed_form, quiet_statistics(history, 10), 0.01)
    assert 1.0 <= found.ratio < 1.25


def test_a_history_that_hangs_together_asks_for_more() -> None:
    history = autocorrelated(20_000, 0.8, np.random.default_rng(5))
    found = checked_threshold(closed_form, quiet_statistics(history, 50), 1e-6)
    assert found.ratio > 4
    assert found.value == pytest.approx(closed_form(1e-6) * found.ratio)
    assert found.n_resamples == 1000


def test_the_closed_form_is_never_lowered() -> None:
    found = checked_threshold(closed_form, [0.0] * 500, 0.01)
    assert found.value == closed_form(0.01)
    assert found.ratio == 1.0


def test_too_few_resamples_change_nothing() -> None:
    assert checked_threshold(closed_form, [1e9] * 19, 0.01).ratio == 1.0
