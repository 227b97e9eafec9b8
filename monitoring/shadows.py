"""What the shadows of a model have shown: agreement, flips, differences, the price of a pass."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from monitoring.differences import quantile
from monitoring.models import ShadowCell, ShadowFlip, ShadowTally
from monitoring.quality.intervals import proportion
from monitoring.quality.report import MIN_LABELLED, UNDEFINED, Estimate, Verdict
from monitoring.shadow_counts import MILLION, WITHIN, ShadowSum
from monitoring.windows import Grain, Window, ceil, floor
from registry import queries as registry

MAX_FLIPS = 100
MAX_RECENT = 20
Versions = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Flip:
    """`n` texts that the primary called `predicted` and the shadow `shadowed`."""

    predicted: str
    shadowed: str
    n: int


@dataclass(frozen=True, slots=True)
class RecentFlip:
    """An answer that the shadow gave another label; `prediction_id` leads to its text."""

    prediction_id: UUID
    at: datetime
    predicted: str
    shadowed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far apart the probabilities of the primary's label are; quantiles are upper bounds."""

    mean: float | None
    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One shadow version beside one that answered.

    `flips` are the most frequent ones, `latency_ratio` a text's part of the shadow's passes over
    the primary's: an upper bound, since a shadow runs small batches behind everybody else.
    `n_failed` copies came to nothing; `n_off` times a process gave the shadow up.
    """

    primary_version: int
    shadow_version: int
    n_compared: int
    agreement: Estimate
    verdict: Verdict | None
    flips: tuple[Flip, ...]
    difference: Difference
    latency_ratio: float | None
    n_failed: int
    n_off: int
    recent: tuple[RecentFlip, ...]


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """Comparisons in `window` (whole hours), newest shadow first."""

    model: str
    window: Window
    comparisons: tuple[Comparison, ...]


def load_shadow(model: str, window: Window, *, version: int | None = None) -> ShadowReport:
    """What shadows (or only `version`) have shown of a model in `window`, widened to whole hours.

    Raises ModelNotFound, or VersionNotFound.
    """
    if version is None:
        registry.load_model(model)
    else:
        registry.load_version(model, version)
    hours = Window(floor(window.start, Grain.HOUR), ceil(window.end, Grain.HOUR))
    narrow: dict[str, Any] = {"model": model, "bucket__gte": hours.start, "bucket__lt": hours.end}
    if version is not None:
        narrow["shadow_version"] = version
    cells: defaultdict[Versions, Counter[tuple[str, str]]] = defaultdict(Counter)
    cell_rows = ShadowCell.objects.filter(**narrow)
    for primary, shadow, predicted, shadowed, n in _sums(cell_rows, "predicted", "shadowed"):
        cells[primary, shadow][predicted, shadowed] = n
    tallies: defaultdict[Versions, dict[str, int]] = defaultdict(dict)
    for primary, shadow, name, n in _sums(ShadowTally.objects.filter(**narrow), "name"):
        tallies[primary, shadow][name] = n
    pairs = sorted({*cells, *tallies}, key=lambda pair: (-pair[1], -pair[0]))
    return ShadowReport(
        model,
        hours,
        tuple(_comparison(model, pair, cells[pair], tallies[pair], hours) for pair in pairs),
    )


def _sums(rows: QuerySet[Any], *fields: str) -> Iterator[tuple[Any, ...]]:
    columns = ("primary_version", "shadow_version", *fields)
    yield from rows.order_by().values_list(*columns).annotate(total=Sum("n"))


def _comparison(
    model: str,
    pair: Versions,
    cells: Mapping[tuple[str, str], int],
    tallies: Mapping[str, int],
    window: Window,
) -> Comparison:
    n = sum(cells.values())
    n_agreed = sum(count for (predicted, shadowed), count in cells.items() if predicted == shadowed)
    flips = [Flip(*labels, count) for labels, count in cells.items() if labels[0] != labels[1]]
    flips.sort(key=lambda flip: (-flip.n, flip.predicted, flip.shadowed))
    primary_us = tallies.get(ShadowSum.PRIMARY, 0)
    return Comparison(
        primary_version=pair[0],
        shadow_version=pair[1],
        n_compared=n,
        agreement=_share(n_agreed, n),
        verdict=None if n >= MIN_LABELLED else Verdict.INSUFFICIENT_DATA,
        flips=tuple(flips[:MAX_FLIPS]),
        difference=_difference(tallies, n),
        latency_ratio=tallies.get(ShadowSum.SHADOW, 0) / primary_us if primary_us else None,
        n_failed=tallies.get(ShadowSum.FAILED, 0),
        n_off=tallies.get(ShadowSum.OFF, 0),
        recent=_recent(model, pair, window),
    )


def _share(hits: int, n: int) -> Estimate:
    if not n:
        return UNDEFINED
    low, high = proportion(hits, n)
    return Estimate(hits / n, float(low), float(high))


def _difference(tallies: Mapping[str, int], n: int) -> Difference:
    counts = {
        float(name.removeprefix(WITHIN)): count
        for name, count in tallies.items()
        if name.startswith(WITHIN)
    }
    return Difference(
        mean=tallies.get(ShadowSum.DIFFERENCE, 0) / MILLION / n if n else None,
        p50=quantile(counts, 0.5),
        p90=quantile(counts, 0.9),
        p99=quantile(counts, 0.99),
    )


def _recent(model: str, pair: Versions, window: Window) -> tuple[RecentFlip, ...]:
    rows = ShadowFlip.objects.filter(
        model=model,
        primary_version=pair[0],
        shadow_version=pair[1],
        at__gte=window.start,
        at__lt=window.end,
    ).order_by("-id")[:MAX_RECENT]
    return tuple(RecentFlip(row.prediction, row.at, row.predicted, row.shadowed) for row in rows)
