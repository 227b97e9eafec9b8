"""The texts of the same traffic that a version takes to be most like one text."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt

from monitoring.models import Exemplar, Feedback, Prediction

AROUND = timedelta(hours=24)
MOST_COMPARED = 2000
SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A prediction of the sample. `similarity` is the cosine of both embeddings."""

    id: UUID
    at: datetime
    text: str | None
    label: str
    known_label: str | None
    similarity: float
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The most similar first, of `n_compared`; `why_none` says in a sentence why there are none."""

    items: tuple[Neighbour, ...]
    n_compared: int
    why_none: str = ""


def load_neighbours(exemplar: Exemplar | None) -> Neighbours:
    """What lies nearest to a prediction of the sample, within a day of it, of the same version."""
    if exemplar is None:
        return Neighbours(
            (),
            0,
            "This prediction is not in the sample of the traffic, and only the sample keeps "
            "embeddings (BELLWETHER_RESERVOIR_SIZE, BELLWETHER_RESERVOIR_DAYS).",
        )
    if not exemplar.embedding:
        return Neighbours((), 0, "Embeddings are not kept (BELLWETHER_KEEP_EMBEDDINGS is off).")
    rows = _around(exemplar)
    if not rows:
        return Neighbours(
            (), 0, "No other prediction of this version is in the sample within a day of it."
        )
    likeness = similarities(bytes(exemplar.embedding), [each for _, each in rows])
    nearest = np.argsort(-likeness, kind="stable")[:SHOWN]
    return Neighbours(
        _described({rows[i][0]: float(likeness[i]) for i in nearest.tolist()}), len(rows)
    )


def similarities(one: bytes, others: list[bytes]) -> npt.NDArray[np.float32]:
    """Cosines of an embedding (little-endian float16) with others of its length."""
    matrix = np.frombuffer(b"".join(others), dtype="<f2").astype(np.float32)
    vector = np.frombuffer(one, dtype="<f2").astype(np.float32)
    matrix = matrix.reshape(len(others), len(vector))
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
    cosines: npt.NDArray[np.float32] = matrix @ vector / np.maximum(lengths, 1e-12)
    return cosines


def _around(exemplar: Exemplar) -> list[tuple[UUID, bytes]]:
    """Ids and embeddings of those nearest in time, as many before as after where there are."""
    rows = Exemplar.objects.filter(model=exemplar.model, version=exemplar.version)
    before = rows.filter(at__lte=exemplar.at, at__gte=exemplar.at - AROUND).order_by("-at")
    after = rows.filter(at__gt=exemplar.at, at__lte=exemplar.at + AROUND).order_by("at")
    n_bytes = len(exemplar.embedding)
    half = MOST_COMPARED // 2
    return [
        (id, bytes(embedding))
        for part in (before, after)
        for id, embedding in part.values_list("prediction", "embedding")[: half + 1]
        if id != exemplar.prediction and len(embedding) == n_bytes
    ][:MOST_COMPARED]


def _described(likeness: dict[UUID, float]) -> tuple[Neighbour, ...]:
    rows = Exemplar.objects.in_bulk(list(likeness))
    said = Feedback.objects.filter(prediction__in=list(likeness)).order_by("revision")
    known = dict(said.values_list("prediction", "label"))
    kept = set(Prediction.objects.filter(pk__in=list(likeness)).values_list("pk", flat=True))
    return tuple(
        Neighbour(
            id=id,
            at=rows[id].at,
            text=rows[id].text,
            label=rows[id].label,
            known_label=known.get(id),
            similarity=similarity,
            is_kept=id in kept,
        )
        for id, similarity in likeness.items()
        if id in rows
    )
