"""Embeddings on a plane: their two leading principal components. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitoring.drift.grids import Floats
from monitoring.drift.sample import Floats32

N_AXES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """`mean` [d]; `axes` [2, d], orthonormal; `explained` are the shares of the variance that
    they carry. With fewer directions than two, what is missing is zero.
    """

    mean: Floats
    axes: Floats
    explained: tuple[float, float]

    def project(self, embeddings: Floats32) -> Floats:
        """[n, d] → [n, 2]."""
        points: Floats = (embeddings.astype(np.float64) - self.mean) @ self.axes.T
        return points


def fit_plane(embeddings: Floats32) -> Plane:
    """The plane through [n, d] finite rows, n >= 1, that keeps most of their variance.

    The sign of an axis means nothing, so it is fixed: the coefficient that is largest is positive.
    The same rows therefore always look the same.

    >>> line = np.array([[0, 0], [1, 1], [2, 2]], dtype=np.float32)
    >>> plane = fit_plane(line)
    >>> plane.project(line)[:, 0].round(3).tolist(), plane.explained
    ([-1.414, 0.0, 1.414], (1.0, 0.0))
    """
    rows = embeddings.astype(np.float64)
    mean = rows.mean(axis=0)
    _, scales, directions = np.linalg.svd(rows - mean, full_matrices=False)
    n = min(N_AXES, len(directions))
    axes = np.zeros((N_AXES, rows.shape[1]))
    largest = np.abs(directions[:n]).argmax(axis=1)
    axes[:n] = directions[:n] * np.sign(directions[np.arange(n), largest])[:, None]
    return Plane(mean=mean, axes=axes, explained=_shares(scales**2))


def _shares(variances: Sequence[float] | Floats) -> tuple[float, float]:
    total = float(np.sum(variances))
    shares = [float(each) / total if total else 0.0 for each in variances[:N_AXES]]
    first, second = (*shares, 0.0, 0.0)[:N_AXES]
    return round(first, 6), round(second, 6)
