"""Exact tests of two samples by exchanging their items, for statistics that are a kernel's sum."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.grids import Floats
from monitoring.drift.tails import effect_of


@dataclass(frozen=True, slots=True)
class Permuted:
    """`p_value` is at least 1/(1 + number of permutations); `effect` is AUC-equivalent."""

    statistic: float
    p_value: float
    effect: float


def kernel_test(
    kernel: Floats, n_reference: int, *, n_permutations: int, rng: np.random.Generator
) -> Permuted:
    """Judge w'Kw, w = 1/N for the first `n_reference` items and -1/n for the others.

    `kernel` is [N + n, N + n], symmetric. The p-value is (1 + k)/(1 + B) (Phipson and Smyth, 2010).
    """
    n = len(kernel) - n_reference
    weights = np.concatenate([np.full(n_reference, 1 / n_reference), np.full(n, -1 / n)])
    drawn = rng.permuted(np.tile(weights, (n_permutations, 1)), axis=1)
    drawn = np.concatenate([weights[None], drawn]).astype(kernel.dtype)
    values = np.einsum("ij,ij->i", drawn @ kernel, drawn).astype(np.float64)
    statistic, null = float(values[0]), values[1:]
    k = int((null >= statistic * (1 - 1e-6)).sum())
    expected = max(float(null.mean()), 1e-300)
    freedom = 2 * expected**2 / max(float(null.var()), 1e-300)
    return Permuted(
        statistic,
        (1 + k) / (1 + n_permutations),
        effect_of(statistic / expected * freedom, freedom, n, n_reference),
    )


def squared_distances(rows: Floats) -> Floats:
    """[m, m] squared Euclidean distances of [m, d] rows."""
    squares = np.square(rows).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * (rows @ rows.T)
    clipped: Floats = np.maximum(distances, 0)
    return clipped
