"""Resampling accepted history in blocks: does a closed-form threshold hold for this traffic?

Traffic is not independent: hours differ, callers retry, batches share a topic. Blocks keep what
hangs together within them, so windows made of blocks vary as real quiet windows do.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Where so many resampled windows lie above it the threshold is checked; beyond, it is stretched.
_FEWEST_ABOVE = 10


@dataclass(frozen=True, slots=True)
class Threshold:
    """`value` is the larger of the closed form's and the one that resampling asks for; `ratio` is
    how many times the closed form it is, at least 1.
    """

    value: float
    ratio: float
    n_resamples: int


def block_rows(
    n_history: int, n_window: int, block: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """[n_window] indices of a window made of runs of `block` neighbours of the history.

    Circular (Politis and Romano, 1992): a run that reaches the end goes on at the beginning, so
    that every item is equally likely.
    """
    if min(n_history, n_window, block) < 1:
        raise ValueError("n_history, n_window and block must be at least 1")
    starts = rng.integers(n_history, size=math.ceil(n_window / block))
    rows = (starts[:, None] + np.arange(block)[None, :]) % n_history
    return rows.ravel()[:n_window].astype(np.intp)


def stationary_rows(
    n_history: int, n_window: int, mean_block: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """The same with runs of geometric length (Politis and Romano, 1994)."""
    if min(n_history, n_window, mean_block) < 1:
        raise ValueError("n_history, n_window and mean_block must be at least 1")
    is_start = rng.random(n_window) < 1 / mean_block
    is_start[0] = True
    starts = rng.integers(n_history, size=n_window)
    place = np.arange(n_window)
    begun = np.maximum.accumulate(np.where(is_start, place, 0))
    rows: npt.NDArray[np.intp] = ((starts[begun] + place - begun) % n_history).astype(np.intp)
    return rows


def resampled(
    statistic: Callable[[npt.NDArray[np.intp]], float],
    *,
    n_history: int,
    n_window: int,
    block: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> list[float]:
    """`statistic` of `n_resamples` windows, each given as its rows of the history."""
    return [
        statistic(block_rows(n_history, n_window, block, rng)) for _ in range(max(n_resamples, 0))
    ]


def checked_threshold(
    closed_form: Callable[[float], float], quiet: Sequence[float], alpha: float
) -> Threshold:
    """The threshold at `alpha`: the closed form's, or a larger one where `quiet` asks for it.

    `closed_form` gives the threshold of a level, `quiet` are statistics of resampled windows. They
    cannot show a tail of 1e-6, so the ratio of both thresholds is taken where at least ten of them
    lie above, and stretches the closed form beyond.
    """
    n = len(quiet)
    if n < 2 * _FEWEST_ABOVE:
        return Threshold(closed_form(alpha), 1.0, n)
    level = max(alpha, _FEWEST_ABOVE / n)
    measured = float(np.quantile(np.asarray(quiet, dtype=np.float64), 1 - level))
    ratio = max(1.0, measured / closed_form(level))
    return Threshold(closed_form(alpha) * ratio, ratio, n)
