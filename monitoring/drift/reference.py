"""What a version's traffic is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from monitoring.drift import basis as bases
from monitoring.drift import dispersion as dispersions
from monitoring.drift.basis import Basis
from monitoring.drift.dispersion import INDEPENDENT, Dispersion, MeanDispersion
from monitoring.drift.grids import Counts
from monitoring.drift.moments import Moments, estimate, whitener
from monitoring.drift.packing import pack, unpack
from monitoring.drift.sample import Floats32, Sample, make_sample
from monitoring.drift.sums import MOST_COLUMNS, Sums, sums_of
from monitoring.drift.sums import decode as decode_sums
from monitoring.drift.sums import encode as encode_sums

SCHEMA = 1
KEPT_ROWS = 2000
# Below this there are too few rows for either half of the whitened test.
FEWEST_EMBEDDINGS = 100
# Random features of few dimensions are nearly dependent: what is left of them is noise.
SHAPE_VARIANCE = 0.99
_MOMENTS = ("plain", "whitened", "shape", "shape_whitened")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """`sums` over all its items, a bounded `sample` of them, the null `moments`, and `confusion`
    [K, K] (actual, predicted), in the order of `sums.labels`, over the labelled ones.

    `plain` and `whitened` are of the embedding, `shape` and `shape_whitened` of its features in
    `basis`; all are None where there were too few embeddings. `is_split` says that the whitener
    came from other rows than the moments. `dispersions` are those of counts; the moments hold
    their own.
    """

    sums: Sums
    sample: Sample | None
    confusion: Counts
    basis: Basis | None
    plain: Moments | None
    whitened: Moments | None
    shape: Moments | None
    shape_whitened: Moments | None
    dispersions: Mapping[str, Dispersion] = field(default_factory=dict)

    def dispersion(self, view: str) -> Dispersion:
        """By how much counts of `view`, a field of Sums, vary more than independent ones."""
        return self.dispersions.get(view, INDEPENDENT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """A window of traffic: its sums, and where one was kept a sample of it."""

    sums: Sums
    sample: Sample | None = None


def fit(
    sample: Sample,
    *,
    rng: np.random.Generator,
    basis: Basis | None = None,
    sums: Sums | None = None,
    keeps_texts: bool = True,
    is_ordered: bool = False,
) -> Reference:
    """The reference that `sample` makes.

    `basis` is the version's, where it has one already; otherwise one is fitted. `sums` may cover
    more items than the sample. The two halves of the moments are drawn at random. `is_ordered`
    says that the sample is traffic in the order of its arrival: then it also tells how much windows
    vary because neighbours hang together. A file's order means nothing.
    """
    labelled = sample.actual >= 0
    k = len(sample.labels)
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (sample.actual[labelled], sample.predicted[labelled]), 1)
    if sums is None or not sums.n:
        sums = sums_of(sample, basis)
    rows = sample.embeddings[np.isfinite(sample.embeddings).all(axis=1)]
    order = rng.permutation(len(rows))
    a, b = rows[order[: len(rows) // 2]], rows[order[len(rows) // 2 :]]
    moments: dict[str, Moments | None] = dict.fromkeys(_MOMENTS)
    if rows.shape[1] and len(rows) >= FEWEST_EMBEDDINGS:
        # Components fit the rows they were found in too well: only other rows may count.
        others = rows
        if basis is None:
            n_fitted = len(rows) // 4
            basis, others = bases.fit(a[:n_fitted], rng=rng), rows[order[n_fitted:]]
        if sums.basis != basis.name:
            sums = _with_features(sums, basis, others)
        features_a, features_b = basis.features(a), basis.features(b)
        moments = {
            "plain": estimate(rows),
            "whitened": estimate(b, whitener(a)),
            "shape": estimate(features_b),
            "shape_whitened": estimate(features_b, whitener(features_a, variance=SHAPE_VARIANCE)),
        }
        if is_ordered:
            features = basis.features(rows)
            moments = {
                name: _dispersed(found, features if name.startswith("shape") else rows)
                for name, found in moments.items()
            }
    kept = sample.take(np.sort(rng.permutation(len(sample))[:KEPT_ROWS]))
    return Reference(
        sums=sums,
        sample=kept if keeps_texts else without_texts(kept),
        confusion=confusion,
        basis=basis,
        dispersions=_count_dispersions(sample) if is_ordered else {},
        **moments,
    )


def _dispersed(moments: Moments | None, rows: Floats32) -> Moments | None:
    """With the dispersion of all `rows`, against traces of the same rows: a whitener fits some."""
    if moments is None or moments.is_degenerate:
        return moments
    whole = estimate(rows, moments.metric)
    data = rows.astype(np.float64)
    if moments.metric is not None:
        data = data @ moments.metric.T.astype(np.float64)
    found = dispersions.of_means(data, whole.trace, whole.trace_squared)
    return replace(moments, dispersion=found)


def _count_dispersions(sample: Sample) -> dict[str, Dispersion]:
    def names(values: tuple[str, ...]) -> Dispersion:
        return dispersions.of_codes(np.unique(np.array(values), return_inverse=True)[1])

    found = {
        "label_counts": dispersions.of_codes(sample.predicted),
        "probabilities": dispersions.widest(
            [dispersions.of_values(column) for column in sample.probabilities.T[:MOST_COLUMNS]]
        ),
        "tokens": dispersions.of_values(sample.n_tokens.astype(np.float64)),
        "unknown": dispersions.of_values(sample.n_unknown / np.maximum(sample.n_tokens, 1)),
        "scripts": names(sample.scripts),
        "languages": names(sample.languages),
    }
    return {name: each for name, each in found.items() if each.lengths}


def _with_features(sums: Sums, basis: Basis, rows: Floats32) -> Sums:
    return replace(
        sums,
        basis=basis.name,
        n_featured=len(rows),
        features=basis.features(rows).sum(axis=0, dtype=np.float64),
    )


def without_texts(sample: Sample) -> Sample:
    fields = {name: getattr(sample, name) for name in Sample.__dataclass_fields__}
    return Sample(**(fields | {"texts": (None,) * len(sample)}))


def encode(reference: Reference) -> bytes:
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "sums": encode_sums(reference.sums),
        "confusion": reference.confusion,
        "basis": bases.encode(reference.basis) if reference.basis else None,
        "sample": _encode_sample(reference.sample) if reference.sample else None,
        "dispersions": dispersions.to_lists(reference.dispersions),
    }
    for name in _MOMENTS:
        moments: Moments | None = getattr(reference, name)
        fields[name] = None if moments is None else _encode_moments(moments)
    return pack(fields)


def decode(data: bytes) -> Reference:
    """Raises ValueError for bytes that `encode` did not write."""
    try:
        fields = unpack(data)
        if fields.pop("schema") != SCHEMA:
            raise ValueError("a reference of another schema")
        moments = {
            name: None if (packed := fields[name]) is None else _decode_moments(packed)
            for name in _MOMENTS
        }
        return Reference(
            sums=decode_sums(fields["sums"]),
            sample=None if fields["sample"] is None else _decode_sample(fields["sample"]),
            confusion=fields["confusion"],
            basis=None if fields["basis"] is None else bases.decode(fields["basis"]),
            # Older ones have none.
            dispersions=dispersions.from_lists(fields.get("dispersions", {})),
            **moments,
        )
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise ValueError(f"not an encoded reference: {error}") from error


def _encode_moments(moments: Moments) -> bytes:
    fields = {name: getattr(moments, name) for name in Moments.__dataclass_fields__}
    both = {"variance": moments.dispersion.variance, "square": moments.dispersion.square}
    return pack(fields | {"dispersion": dispersions.to_lists(both)})


def _decode_moments(data: bytes) -> Moments:
    fields = unpack(data)
    found = dispersions.from_lists(fields.get("dispersion", {}))
    read = {"excess": tuple(fields["excess"]), "dispersion": MeanDispersion(**found)}
    return Moments(**(fields | read))


def _encode_sample(sample: Sample) -> bytes:
    fields = {name: getattr(sample, name) for name in Sample.__dataclass_fields__}
    return pack(fields | {"embeddings": sample.embeddings.astype(np.float16)})


def _decode_sample(data: bytes) -> Sample:
    fields = unpack(data)
    embeddings: Floats32 = fields["embeddings"].astype(np.float32)
    return make_sample(**(fields | {"embeddings": embeddings}))
