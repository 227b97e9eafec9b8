"""Exact tests of two samples by exchanging their items, for statistics that are a kernel's sum."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from monitoring.drift.base import Detector, Finding, has_enough, insufficient
from monitoring.drift.grids import Floats
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.tails import effect_of
from monitoring.drift.views import embeddings_of


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


class KernelDetector(Detector, Protocol):
    """A detector that compares samples of embeddings by a kernel over all of their rows."""

    @property
    def most_rows(self) -> int: ...

    @property
    def n_permutations(self) -> int: ...

    @property
    def seed(self) -> int: ...

    def kernel(self, distances: Floats) -> tuple[Floats, dict[str, float]]:
        """The kernel from [m, m] squared distances, and what a finding says of it."""
        ...


def judge_by_kernel(detector: KernelDetector, reference: Reference, observed: Observed) -> Finding:
    """What both samples' embeddings show by `detector.kernel`."""
    pair = embeddings_of(reference, observed, detector.most_rows)
    if pair is None:
        return insufficient(detector, 0, 0, "no samples of embeddings of one size")
    n_reference, n_window = len(pair.reference), len(pair.window)
    if not has_enough(n_reference, n_window):
        return insufficient(detector, n_reference, n_window, "too few embeddings")
    kernel, told = detector.kernel(squared_distances(np.concatenate([pair.reference, pair.window])))
    rng = np.random.default_rng(detector.seed)
    found = kernel_test(kernel, n_reference, n_permutations=detector.n_permutations, rng=rng)
    return Finding(
        detector=detector.name,
        family=detector.family,
        n_reference=n_reference,
        n_window=n_window,
        is_sufficient=True,
        statistic=found.statistic,
        p_value=found.p_value,
        effect=found.effect,
        details=told | {"n_permutations": detector.n_permutations},
    )


def squared_distances(rows: Floats) -> Floats:
    """[m, m] squared Euclidean distances of [m, d] rows."""
    squares = np.square(rows).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * (rows @ rows.T)
    clipped: Floats = np.maximum(distances, 0)
    return clipped
