"""Journal records and kept exemplars as the arrays that sums are made of.

A record may hold anything that a model, or an older version of this program, gave: what cannot be
read as a number is left out rather than refused, because a record that raises here stops its
journal.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt

from inference.records import PredictionRecord
from monitoring.drift.sample import Floats32, Sample, make_sample
from monitoring.models import Exemplar

_EMBEDDING = np.dtype("<f2")
_LARGEST = 1e30


def sample_of(
    records: Sequence[PredictionRecord],
    *,
    is_repeated: Sequence[bool] | None = None,
    languages: Sequence[str] | None = None,
) -> Sample:
    """The answers of `records`, which are of one version, in their order."""
    labels = _labels(record.scores for record in records) | {record.label for record in records}
    names = sorted(labels)
    return make_sample(
        labels=names,
        predicted=_places(names, [record.label for record in records]),
        probabilities=_probabilities(names, [record.scores for record in records]),
        embeddings=embeddings_of([record.embedding for record in records]),
        n_tokens=[record.n_tokens for record in records],
        n_unknown=[record.n_unknown for record in records],
        seconds=_bounded([record.total_s for record in records]),
        texts=[record.text for record in records],
        scripts=[record.script for record in records],
        languages=languages,
        is_empty=[record.is_empty for record in records],
        is_repeated=is_repeated,
        is_truncated=[record.truncated for record in records],
    )


def sample_of_exemplars(rows: Sequence[Exemplar], actual: Mapping[UUID, str]) -> Sample:
    """The answers of `rows`; `actual` maps predictions to what is known to be true of them."""
    labels = _labels(row.scores for row in rows) | {row.label for row in rows}
    names = sorted(labels | {actual[row.prediction] for row in rows if row.prediction in actual})
    return make_sample(
        labels=names,
        predicted=_places(names, [row.label for row in rows]),
        probabilities=_probabilities(names, [row.scores for row in rows]),
        embeddings=embeddings_of([bytes(row.embedding) for row in rows]),
        n_tokens=[row.n_tokens for row in rows],
        n_unknown=[row.n_unknown for row in rows],
        seconds=_bounded([row.total_s for row in rows]),
        texts=[row.text for row in rows],
        scripts=[row.script for row in rows],
        languages=[row.language for row in rows],
        is_empty=[row.text is not None and not row.text.strip() for row in rows],
        actual=_places(names, [actual.get(row.prediction, "") for row in rows]),
    )


def embeddings_of(blobs: Sequence[bytes]) -> Floats32:
    """[n, d] of float16 bytes, d being the commonest size; NaN where another one came."""
    sizes = Counter(len(blob) for blob in blobs if len(blob) % _EMBEDDING.itemsize == 0)
    sizes.pop(0, None)
    if not sizes:
        return np.zeros((len(blobs), 0), np.float32)
    (size, n), *_ = sizes.most_common(1)
    missing = np.full(size // _EMBEDDING.itemsize, np.nan, _EMBEDDING).tobytes()
    whole = blobs if n == len(blobs) else [b if len(b) == size else missing for b in blobs]
    rows = np.frombuffer(b"".join(whole), _EMBEDDING).reshape(len(blobs), -1)
    return rows.astype(np.float32)


def _labels(scores: Iterable[Mapping[str, float]]) -> set[str]:
    # Nearly always all have the same keys, so few sets are made.
    return {label for keys in {tuple(each) for each in scores} for label in keys}


def _places(names: Sequence[str], labels: Sequence[str]) -> list[int]:
    place = {name: i for i, name in enumerate(names)}
    return [place.get(label, -1) for label in labels]


def _probabilities(names: Sequence[str], scores: Sequence[Mapping[str, float]]) -> Floats32:
    rows = [[each.get(name, 0.0) for name in names] for each in scores]
    array = np.array(rows, dtype=np.float64).reshape(len(scores), len(names))
    return _bounded(array)


def _bounded(values: npt.ArrayLike) -> Floats32:
    """`values` without such as would spoil every sum that they are added to."""
    finite = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0)
    return finite.clip(-_LARGEST, _LARGEST).astype(np.float32)
