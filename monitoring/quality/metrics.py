"""Accuracy, precision, recall and F1 from a confusion matrix.

Every value equals scikit-learn's on the labels that the matrix was counted from, with
`zero_division=0` and its default choice of classes: those that are predicted or true at least once.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from monitoring.errors import TooManyClasses

MAX_CLASSES = 300

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`counts[i, j]` items truly are `labels[i]` and were called `labels[j]`; labels are sorted."""

    labels: tuple[str, ...]
    counts: Counts

    @property
    def n(self) -> int:
        return int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class Scores:
    """Rates of one table or of a stack of tables: the last axis of the first four is the class.

    A class that no item is or was called has a `share` of 0 and takes no part in a macro average.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    share: Floats
    is_present: npt.NDArray[np.bool_]
    accuracy: Floats

    def macro(self, rates: Floats) -> Floats:
        """The plain mean over the classes that are present."""
        n_present = self.is_present.sum(axis=-1)
        return _ratio((rates * self.is_present).sum(axis=-1), n_present)

    def weighted(self, rates: Floats) -> Floats:
        """The mean over classes, each counted by the share of items that truly are of it."""
        averages: Floats = (rates * self.share).sum(axis=-1)
        return averages


def matrix(cells: Mapping[tuple[str, str], int]) -> Matrix:
    """The matrix of `cells`, (actual, predicted) → n; classes without any item are left out.

    Raises TooManyClasses above 300: memory and answers grow with the square.
    """
    kept = {pair: n for pair, n in cells.items() if n}
    labels = tuple(sorted({label for pair in kept for label in pair}))
    check_size(labels)
    index = {label: i for i, label in enumerate(labels)}
    counts: Counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for (actual, predicted), n in kept.items():
        counts[index[actual], index[predicted]] += n
    return Matrix(labels, counts)


def check_size(labels: Collection[str]) -> None:
    """Raises TooManyClasses above 300."""
    if len(labels) > MAX_CLASSES:
        raise TooManyClasses(
            f"{len(labels)} classes were predicted or true here; at most {MAX_CLASSES} can be "
            "judged together: choose a shorter window or a segment.",
            details={"n_classes": len(labels), "max_classes": MAX_CLASSES},
        )


def scores(tables: npt.NDArray[Any]) -> Scores:
    """Rates of one K x K table, or of many in an array of shape (..., K, K).

    >>> rates = scores(np.array([[8, 2], [1, 9]]))
    >>> [round(float(f1), 3) for f1 in rates.f1], round(float(rates.macro(rates.f1)), 3)
    ([0.842, 0.857], 0.85)
    """
    hits = np.diagonal(tables, axis1=-2, axis2=-1)
    actual, predicted = tables.sum(axis=-1), tables.sum(axis=-2)
    total = actual.sum(axis=-1)
    return Scores(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, actual),
        f1=_ratio(2 * hits, actual + predicted),
        share=_ratio(actual, np.expand_dims(total, -1)),
        is_present=(actual + predicted) > 0,
        accuracy=_ratio(hits.sum(axis=-1), total),
    )


def _ratio(top: npt.NDArray[Any], bottom: npt.NDArray[Any]) -> Floats:
    zeros = np.zeros(np.broadcast_shapes(np.shape(top), np.shape(bottom)))
    np.divide(top, bottom, out=zeros, where=np.broadcast_to(bottom, zeros.shape) > 0)
    return zeros
