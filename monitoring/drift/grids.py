"""The fixed bins that numbers are counted in.

They are the same for every model and never move, so counts of any two windows can be added and
compared without knowing a reference beforehand. They are fine: a test merges neighbours until each
bin holds enough (`merged`).
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

N_BINS = 64


def _logistic(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


# N_BINS - 1 inner edges each; bin i holds edges[i-1] <= x < edges[i].
PROBABILITY: Floats = _logistic(np.linspace(-8, 8, N_BINS - 1))
"""Probabilities, finest near 0 and 1, where confident models live."""
TOKENS: Floats = np.exp2(np.linspace(0, 14, N_BINS - 1))
"""Token counts from 1 to 16,384."""
SHARE: Floats = np.concatenate([[1e-9], np.geomspace(1e-3, 1, N_BINS - 2)])
"""Shares in [0, 1]; exactly 0 has a bin of its own."""
SECONDS: Floats = np.geomspace(1e-4, 1e2, N_BINS - 1)
"""Durations from 0.1 ms to 100 s."""


def count(values: npt.ArrayLike, edges: Floats) -> Counts:
    """How many finite values lie in each of the N_BINS bins.

    >>> count([0.0, 0.5, 1.0], SHARE)[[0, -1]].tolist()
    [1, 1]
    """
    numbers = np.asarray(values, dtype=np.float64)
    places = np.searchsorted(edges, numbers[np.isfinite(numbers)], side="right")
    return np.bincount(places, minlength=N_BINS).astype(np.int64)


def middles(edges: Floats) -> Floats:
    """A number that stands for each bin: between its edges; the outer bins' is their edge."""
    inner = (edges[:-1] + edges[1:]) / 2
    return np.concatenate([[edges[0]], inner, [edges[-1]]])


def merged(counts: Counts, n_groups: int) -> npt.NDArray[np.intp]:
    """The group of each bin (last axis of `counts`), so that groups hold about equal mass.

    Groups are runs of neighbours, numbered from 0; there are at most `n_groups`, fewer where
    single bins hold more than their part.
    """
    total = counts.sum()
    if not total:
        return np.zeros(counts.shape[-1], dtype=np.intp)
    below = np.concatenate([[0], np.cumsum(counts)[:-1]])
    wanted = np.minimum((below * n_groups) // total, n_groups - 1)
    return np.unique(wanted, return_inverse=True)[1].astype(np.intp)
