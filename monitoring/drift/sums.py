"""What any number of answers adds up to: the one thing that is kept of every prediction's numbers.

Sums are of constant size and merge by addition, so any window is a sum of its stretches.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from monitoring.drift import grids
from monitoring.drift.basis import Basis
from monitoring.drift.grids import N_BINS, Counts, Floats
from monitoring.drift.packing import pack, unpack
from monitoring.drift.sample import Sample

SCHEMA = 1
# Models with more classes keep their counts, but no table of one histogram or sum for each.
MOST_COLUMNS = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Sums over `n` answers of one version.

    K = len(labels), sorted names; d the embedding's size; bins are those of `grids`.
    `label_counts` [K]; `confidence` [K, 64]: by predicted class, the probability of it.
    `probabilities` [K, 64] and `probability_sums` [K, K] (row: predicted class; column: summed
    probability of a class) are [0, …] above 32 classes. `tokens`, `unknown`, `seconds` [64].
    `embedding` [d] sums `n_embedded` embeddings, `features` [m] those of `n_featured` embeddings
    in the basis named `basis` (empty: none).
    """

    n: int
    labels: tuple[str, ...]
    label_counts: Counts
    confidence: Counts
    probabilities: Counts
    probability_sums: Floats
    tokens: Counts
    unknown: Counts
    seconds: Counts
    n_empty: int = 0
    n_repeated: int = 0
    n_truncated: int = 0
    n_embedded: int = 0
    embedding: Floats = field(default_factory=lambda: np.zeros(0))
    basis: str = ""
    n_featured: int = 0
    features: Floats = field(default_factory=lambda: np.zeros(0))
    scripts: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Sums") -> "Sums":
        return merge(self, other)

    @property
    def has_columns(self) -> bool:
        """Whether there are histograms and sums for each class."""
        return len(self.probabilities) == len(self.labels)


def nothing(labels: tuple[str, ...] = ()) -> Sums:
    """The sums of no answers."""
    k = len(labels)
    columns = k if k <= MOST_COLUMNS else 0
    return Sums(
        n=0,
        labels=labels,
        label_counts=np.zeros(k, np.int64),
        confidence=np.zeros((k, N_BINS), np.int64),
        probabilities=np.zeros((columns, N_BINS), np.int64),
        probability_sums=np.zeros((columns, columns)),
        tokens=np.zeros(N_BINS, np.int64),
        unknown=np.zeros(N_BINS, np.int64),
        seconds=np.zeros(N_BINS, np.int64),
    )


def total(parts: "list[Sums]") -> Sums:
    """The sums of all parts together."""
    return reduce(merge, parts, nothing())


def sums_of(sample: Sample, basis: Basis | None = None) -> Sums:
    """The sums over `sample`; embeddings that are not finite are left out of theirs."""
    k, n = len(sample.labels), len(sample)
    empty = nothing(sample.labels)
    if not n:
        return empty
    chosen = sample.probabilities[np.arange(n), sample.predicted]
    columns = empty.has_columns
    finite = sample.embeddings[np.isfinite(sample.embeddings).all(axis=1)]
    has_embeddings = finite.shape[1] > 0
    fits = basis is not None and has_embeddings and finite.shape[1] == len(basis.mean)
    return Sums(
        n=n,
        labels=sample.labels,
        label_counts=np.bincount(sample.predicted, minlength=k).astype(np.int64),
        confidence=np.stack(
            [grids.count(chosen[sample.predicted == i], grids.PROBABILITY) for i in range(k)]
        ),
        probabilities=(
            np.stack([grids.count(column, grids.PROBABILITY) for column in sample.probabilities.T])
            if columns
            else empty.probabilities
        ),
        probability_sums=(
            np.eye(k)[sample.predicted].T @ sample.probabilities.astype(np.float64)
            if columns
            else empty.probability_sums
        ),
        tokens=grids.count(sample.n_tokens, grids.TOKENS),
        unknown=grids.count(sample.n_unknown / np.maximum(sample.n_tokens, 1), grids.SHARE),
        seconds=grids.count(sample.seconds, grids.SECONDS),
        n_empty=int(sample.is_empty.sum()),
        n_repeated=int(sample.is_repeated.sum()),
        n_truncated=int(sample.is_truncated.sum()),
        n_embedded=len(finite) if has_embeddings else 0,
        embedding=finite.sum(axis=0, dtype=np.float64),
        basis=basis.name if basis is not None and fits else "",
        n_featured=len(finite) if fits else 0,
        features=(
            basis.features(finite).sum(axis=0, dtype=np.float64)
            if basis is not None and fits
            else np.zeros(0)
        ),
        scripts=dict(Counter(name for name in sample.scripts if name)),
        languages=dict(Counter(name for name in sample.languages if name)),
    )


def merge(a: Sums, b: Sums) -> Sums:
    """The sums of both; of two sizes of embedding, or two bases, the larger part's is kept."""
    if not a.n:
        return b
    if not b.n:
        return a
    labels = tuple(sorted({*a.labels, *b.labels}))
    a, b = _spread(a, labels), _spread(b, labels)
    embedded = _added(a.embedding, a.n_embedded, b.embedding, b.n_embedded)
    if a.basis == b.basis:
        basis = a.basis
        featured = _added(a.features, a.n_featured, b.features, b.n_featured)
    else:
        larger = a if a.n_featured >= b.n_featured else b
        basis, featured = larger.basis, (larger.features, larger.n_featured)
    return Sums(
        n=a.n + b.n,
        labels=labels,
        label_counts=a.label_counts + b.label_counts,
        confidence=a.confidence + b.confidence,
        probabilities=a.probabilities + b.probabilities,
        probability_sums=a.probability_sums + b.probability_sums,
        tokens=a.tokens + b.tokens,
        unknown=a.unknown + b.unknown,
        seconds=a.seconds + b.seconds,
        n_empty=a.n_empty + b.n_empty,
        n_repeated=a.n_repeated + b.n_repeated,
        n_truncated=a.n_truncated + b.n_truncated,
        n_embedded=embedded[1],
        embedding=embedded[0],
        basis=basis,
        n_featured=featured[1],
        features=featured[0],
        scripts=dict(Counter(a.scripts) + Counter(b.scripts)),
        languages=dict(Counter(a.languages) + Counter(b.languages)),
    )


def aligned(a: Sums, b: Sums) -> tuple[Sums, Sums]:
    """Both over the classes of either."""
    labels = a.labels if a.labels == b.labels else tuple(sorted({*a.labels, *b.labels}))
    return _spread(a, labels), _spread(b, labels)


def encode(sums: Sums) -> bytes:
    fields = {name: getattr(sums, name) for name in Sums.__dataclass_fields__}
    return pack(fields | {"schema": SCHEMA})


def decode(data: bytes) -> Sums:
    """Raises ValueError for bytes that `encode` did not write."""
    try:
        fields = unpack(data)
        if fields.pop("schema") != SCHEMA:
            raise ValueError("sums of another schema")
        return Sums(**(fields | {"labels": tuple(fields["labels"])}))
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise ValueError(f"not encoded sums: {error}") from error


def _added(a: Floats, n_a: int, b: Floats, n_b: int) -> tuple[Floats, int]:
    if len(a) == len(b):
        return a + b, n_a + n_b
    return (a, n_a) if n_a >= n_b else (b, n_b)


def _spread(sums: Sums, labels: tuple[str, ...]) -> Sums:
    """The same sums over more classes."""
    if sums.labels == labels:
        return sums
    at = np.searchsorted(np.array(labels), np.array(sums.labels, dtype=np.array(labels).dtype))
    wide = nothing(labels)
    fields: dict[str, Any] = {name: getattr(sums, name) for name in Sums.__dataclass_fields__}
    for name in ("label_counts", "confidence"):
        fields[name] = _placed(getattr(wide, name), at, getattr(sums, name))
    if wide.has_columns and sums.has_columns:
        fields["probabilities"] = _placed(wide.probabilities, at, sums.probabilities)
        fields["probability_sums"] = wide.probability_sums.copy()
        if len(at):
            fields["probability_sums"][np.ix_(at, at)] = sums.probability_sums
    else:
        fields["probabilities"] = wide.probabilities
        fields["probability_sums"] = wide.probability_sums
    return Sums(**(fields | {"labels": labels}))


def _placed(
    wide: npt.NDArray[Any], at: npt.NDArray[np.intp], narrow: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    placed = wide.copy()
    placed[at] = narrow
    return placed
