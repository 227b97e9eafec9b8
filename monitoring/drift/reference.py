"""What a version's traffic is compared with."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from monitoring.drift import basis as bases
from monitoring.drift.basis import Basis
from monitoring.drift.grids import Counts
from monitoring.drift.moments import Moments, estimate, whitener
from monitoring.drift.packing import pack, unpack
from monitoring.drift.sample import Floats32, Sample, make_sample
from monitoring.drift.sums import Sums, sums_of
from monitoring.drift.sums import decode as decode_sums
from monitoring.drift.sums import encode as encode_sums

SCHEMA = 1
KEPT_ROWS = 2000
# Below this there are too few rows for either half of the whitened test.
FEWEST_EMBEDDINGS = 100
_MOMENTS = ("plain", "whitened", "shape", "shape_whitened")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """`sums` over all its items, a bounded `sample` of them, the null `moments`, and `confusion`
    [K, K] (actual, predicted), in the order of `sums.labels`, over the labelled ones.

    `plain` and `whitened` are of the embedding, `shape` and `shape_whitened` of its features in
    `basis`; all are None where there were too few embeddings. `is_split` says that the whitener
    came from other rows than the moments.
    """

    sums: Sums
    sample: Sample | None
    confusion: Counts
    basis: Basis | None
    plain: Moments | None
    whitened: Moments | None
    shape: Moments | None
    shape_whitened: Moments | None


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
) -> Reference:
    """The reference that `sample` makes.

    `basis` is the version's, where it has one already; otherwise one is fitted. `sums` may cover
    more items than the sample. The two halves of the moments are drawn at random.
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
        if basis is None:
            basis = bases.fit(a, rng=rng)
        if sums.basis != basis.name:
            # Components fit the rows they were found in too well: only other rows may count.
            sums = _with_features(sums, basis, b)
        features_a, features_b = basis.features(a), basis.features(b)
        moments = {
            "plain": estimate(rows),
            "whitened": estimate(b, whitener(a)),
            "shape": estimate(features_b),
            "shape_whitened": estimate(features_b, whitener(features_a)),
        }
    kept = sample.take(np.sort(rng.permutation(len(sample))[:KEPT_ROWS]))
    return Reference(
        sums=sums,
        sample=kept if keeps_texts else without_texts(kept),
        confusion=confusion,
        basis=basis,
        **moments,
    )


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
            name: None if (packed := fields[name]) is None else Moments(**unpack(packed))
            for name in _MOMENTS
        }
        return Reference(
            sums=decode_sums(fields["sums"]),
            sample=None if fields["sample"] is None else _decode_sample(fields["sample"]),
            confusion=fields["confusion"],
            basis=None if fields["basis"] is None else bases.decode(fields["basis"]),
            **moments,
        )
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise ValueError(f"not an encoded reference: {error}") from error


def _encode_moments(moments: Moments) -> bytes:
    return pack({name: getattr(moments, name) for name in Moments.__dataclass_fields__})


def _encode_sample(sample: Sample) -> bytes:
    fields = {name: getattr(sample, name) for name in Sample.__dataclass_fields__}
    return pack(fields | {"embeddings": sample.embeddings.astype(np.float16)})


def _decode_sample(data: bytes) -> Sample:
    fields = unpack(data)
    embeddings: Floats32 = fields["embeddings"].astype(np.float32)
    return make_sample(**(fields | {"embeddings": embeddings}))
