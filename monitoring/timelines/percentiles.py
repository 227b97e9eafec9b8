"""Percentiles of each step, from values or from histograms. Pure.

The percentile q of n values is the one at rank ceil(q n) in ascending order.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitoring.drift.grids import PROBABILITY, SECONDS, Counts, Floats

LATENCY = (0.5, 0.95, 0.99)
CONFIDENCE = (0.1, 0.5, 0.9)


def of_values(
    values: Floats, places: npt.NDArray[np.int64], n_steps: int, shares: Sequence[float]
) -> Floats:
    """Exact percentiles [shares, steps] of `values`, of which value i is of step `places[i]`; NaN
    where a step has none.
    """
    order = np.lexsort((values, places))
    n = np.bincount(places, minlength=n_steps)
    first = np.cumsum(n) - n
    found = np.full((len(shares), n_steps), np.nan)
    held = n > 0
    for row, share in zip(found, shares, strict=True):
        row[held] = values[order[(first + _ranks(n, share) - 1)[held]]]
    return found


def of_latencies(counts: Counts, shares: Sequence[float] = LATENCY) -> Floats:
    """Percentiles [shares, steps] in seconds of histograms [steps, 64] over `grids.SECONDS`.

    Each lies in the true one's bin. The bins' edges are a factor of 1.25 apart, so it is off by
    less than that: mostly by a few per cent, since it is interpolated. Below 0.1 ms it is 0.1 ms,
    above 100 s it is 100 s.
    """
    bounds = np.log(np.concatenate([SECONDS[:1], SECONDS, SECONDS[-1:]]))
    return np.asarray(np.exp(_of_histograms(counts, bounds, shares)))


def of_probabilities(counts: Counts, shares: Sequence[float] = CONFIDENCE) -> Floats:
    """The same of probabilities, over `grids.PROBABILITY`: off by 0.065 at 0.5, where its bins are
    widest, by under 0.01 above 0.97, and by under 0.001 above 0.997.
    """
    return _of_histograms(counts, np.concatenate([[0.0], PROBABILITY, [1.0]]), shares)


def _of_histograms(counts: Counts, bounds: Floats, shares: Sequence[float]) -> Floats:
    reached = np.cumsum(counts, axis=1)
    n = reached[:, -1]
    held = np.flatnonzero(n)
    found = np.full((len(shares), len(counts)), np.nan)
    for row, share in zip(found, shares, strict=True):
        ranks = _ranks(n, share)[held]
        bins = (reached[held] >= ranks[:, None]).argmax(axis=1)
        inside = counts[held, bins]
        # The middle of the rank's own part of its bin.
        part = (ranks - (reached[held, bins] - inside) - 0.5) / inside
        row[held] = bounds[bins] + part * (bounds[bins + 1] - bounds[bins])
    return found


def _ranks(n: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.int64]:
    # Less a hair, since 0.95 * 20 is more than 19 to a computer.
    ranks: npt.NDArray[np.int64] = np.maximum(np.ceil(n * share - 1e-9).astype(np.int64), 1)
    return ranks
