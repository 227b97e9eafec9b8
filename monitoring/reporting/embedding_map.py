"""What a version embeds, on a plane: a part of its reference and a part of a window of traffic."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import numpy as np
from django.conf import settings

from monitoring.drift.projection import Plane, fit_plane
from monitoring.drift.reference import Reference
from monitoring.drift.sample import Floats32, Sample
from monitoring.models import Exemplar
from monitoring.references.queries import load_active
from monitoring.traffic.sampling import sample_of_exemplars
from monitoring.traffic.windows import load_exemplars, load_labels
from monitoring.windows import Window
from registry import queries as registry

MOST_POINTS = 500
"""Of either kind."""
LONGEST_TEXT = 240
_FITTED_ROWS = 1000


class Kind(StrEnum):
    """What a point is of."""

    REFERENCE = "reference"
    WINDOW = "window"


class Reason(StrEnum):
    """Why a map is empty."""

    NO_VERSION = "no_version"
    RESERVOIR_OFF = "reservoir_off"
    NO_TRAFFIC = "no_traffic"
    NO_EMBEDDINGS = "no_embeddings"


class Point(NamedTuple):
    """One text; `label` was predicted with `score`, `actual` is true where that is known."""

    x: float
    y: float
    of: Kind
    text: str | None
    label: str
    score: float | None
    actual: str | None
    prediction_id: UUID | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingMap:
    """The points with the shares of the variance that the two axes carry (None without points).

    `reference` is the id of the reference whose rows are shown and span the plane; without one the
    window's do. `reason` is None unless there are no points.
    """

    model: str
    version: int | None
    window: Window
    reference: int | None
    explained: tuple[float, float] | None
    points: tuple[Point, ...]
    reason: Reason | None

    def count(self, kind: Kind) -> int:
        return sum(point.of is kind for point in self.points)


class _Known(NamedTuple):
    """The shown part of a reference, and the plane that all of it spans."""

    sample: Sample
    plane: Plane


def load_map(
    model: str, version: int | None, window: Window, *, limit: int = MOST_POINTS
) -> EmbeddingMap:
    """Up to `limit` points of the active reference, and as many of the window.

    Of the live version where none is named: embeddings of two versions have nothing in common.
    Raises ModelNotFound, VersionNotFound.
    """
    number = _number(model, version)
    if number is None:
        return _empty(model, None, window, Reason.NO_VERSION)
    rows = load_exemplars(model, number, window.start, window.end, limit)
    recent = sample_of_exemplars(rows, load_labels([row.prediction for row in rows]))
    active = load_active(model, number)
    known = _known(active.reference) if active else None
    usable = _finite(recent.embeddings)
    if known is None and not len(usable):
        return _empty(model, number, window, _why(rows))
    plane = known.plane if known else fit_plane(recent.embeddings[usable])
    if recent.embeddings.shape[1] != len(plane.mean):
        usable = usable[:0]
    shown = _reference_points(known, limit) if known else ()
    return EmbeddingMap(
        model=model,
        version=number,
        window=window,
        reference=active.id if active and known else None,
        explained=plane.explained,
        points=(*shown, *_window_points(recent.take(usable), [rows[i] for i in usable], plane)),
        reason=None,
    )


def _number(model: str, version: int | None) -> int | None:
    if version is not None:
        return registry.load_version(model, version).number
    live = registry.load_live_version(model)
    return live.number if live else None


def _empty(model: str, version: int | None, window: Window, reason: Reason) -> EmbeddingMap:
    return EmbeddingMap(
        model=model,
        version=version,
        window=window,
        reference=None,
        explained=None,
        points=(),
        reason=reason,
    )


def _why(rows: list[Exemplar]) -> Reason:
    if rows:
        return Reason.NO_EMBEDDINGS
    return Reason.NO_TRAFFIC if settings.BELLWETHER_RESERVOIR_SIZE else Reason.RESERVOIR_OFF


def _finite(embeddings: Floats32) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The places of rows that are whole; none where nothing was embedded."""
    whole = np.isfinite(embeddings).all(axis=1) & bool(embeddings.shape[1])
    return np.flatnonzero(whole)


@lru_cache(maxsize=16)
def _known(reference: Reference) -> _Known | None:
    # References are remembered and never change, so the plane may be too.
    sample = reference.sample
    usable = _finite(sample.embeddings) if sample else np.zeros(0, np.intp)
    if sample is None or not len(usable):
        return None
    # The same rows each time: a map that changes should show traffic that does.
    drawn = np.random.default_rng(0).permutation(usable)
    plane = fit_plane(sample.embeddings[np.sort(drawn[:_FITTED_ROWS])])
    return _Known(sample.take(drawn[:MOST_POINTS]), plane)


def _reference_points(known: _Known, limit: int) -> tuple[Point, ...]:
    sample = known.sample.take(np.arange(min(limit, len(known.sample))))
    places = known.plane.project(sample.embeddings)
    return tuple(
        _point(sample, i, (x, y), Kind.REFERENCE) for i, (x, y) in enumerate(places.tolist())
    )


def _window_points(sample: Sample, rows: list[Exemplar], plane: Plane) -> tuple[Point, ...]:
    if not len(sample):
        return ()
    places = plane.project(sample.embeddings).tolist()
    return tuple(
        _point(sample, i, (x, y), Kind.WINDOW)._replace(prediction_id=row.prediction, at=row.at)
        for i, ((x, y), row) in enumerate(zip(places, rows, strict=True))
    )


def _point(sample: Sample, i: int, place: tuple[float, float], kind: Kind) -> Point:
    text, actual = sample.texts[i], int(sample.actual[i])
    if text is not None and len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}…"
    scores = sample.probabilities[i]
    return Point(
        x=round(place[0], 4),
        y=round(place[1], 4),
        of=kind,
        text=text,
        label=sample.labels[int(sample.predicted[i])],
        score=round(float(scores.max()), 4) if scores.any() else None,
        actual=sample.labels[actual] if actual >= 0 else None,
        prediction_id=None,
        at=None,
    )
