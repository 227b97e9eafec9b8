"""The home page's numbers of many models at once: from roll-ups and sums, never from predictions.

Each reader makes one query or two, however many models are asked about.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from django.db.models import F, Q, Sum, Window
from django.db.models.functions import RowNumber

from monitoring.evaluating.questions.latency import quantile
from monitoring.faults import SERVER_FAULTS
from monitoring.labelling.drawing import UNIT_WEIGHT
from monitoring.models import (
    Clock,
    ConfusionCell,
    FailureCount,
    PredictionCount,
    Reference,
    Source,
    Span,
    TrafficSum,
)
from monitoring.quality import weighted
from monitoring.quality.metrics import matrix
from monitoring.quality.report import MIN_LABELLED, Estimate, judge
from monitoring.quality.weighted import Cell, weighted_matrix
from monitoring.queries import FEWEST_DRAWS, TRUSTED
from monitoring.traffic.payloads import read_sums
from monitoring.windows import Grain, floor

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
N_HOURS, N_MINUTES = 25, 60
# Blocks hold a hundred answers each.
NEWEST_BLOCKS = 5

Pair = tuple[str, str]
Sourced = tuple[tuple[Pair, Cell], ...]
"""One source's cells in order: what the same numbers are remembered by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Predictions by hour since the beginning of the hour a day ago, and by minute of the past
    hour, oldest first; of that hour's requests `n_failures` failed, `n_faults` by the server's
    fault.
    """

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    n_failures: int = 0
    n_faults: int = 0

    @property
    def n_day(self) -> int:
        return sum(self.hours)

    @property
    def n_hour(self) -> int:
        return sum(self.minutes)

    @property
    def error_rate(self) -> float | None:
        """Server faults as a share of the past hour's requests; None without any."""
        n = self.n_hour + self.n_failures
        return self.n_faults / n if n else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds that the newest `n` answers took."""

    p50_s: float
    p95_s: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Macro F1 by one source's labels of the past day; `f1` is None with too few of any source.

    `n_labelled` counts those of `source`, or of all sources where none has enough.
    """

    f1: Estimate | None
    source: str
    n_labelled: int

    @property
    def is_trusted(self) -> bool:
        return self.source in TRUSTED


NO_LABELS = Labelled(f1=None, source="", n_labelled=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The active reference of a version; `f1` is None where it has no labels."""

    reference: int
    f1: float | None


def count_day(names: Collection[str], now: datetime) -> dict[str, int]:
    """How many predictions each model made since the beginning of the hour a day ago."""
    rows = _counts(names, Grain.HOUR, floor(now - DAY, Grain.HOUR))
    return dict(rows.values_list("model").annotate(total=Sum("n")))


def load_traffic(names: Collection[str], now: datetime) -> dict[str, Traffic]:
    """What came to each model of `names`, in three queries."""
    hours = _by_bucket(names, Grain.HOUR, floor(now - DAY, Grain.HOUR), HOUR, N_HOURS)
    since = floor(now - HOUR, Grain.MINUTE) + timedelta(minutes=1)
    minutes = _by_bucket(names, Grain.MINUTE, since, timedelta(minutes=1), N_MINUTES)
    failures, faults = _failures(names, since)
    return {
        name: Traffic(
            hours=hours[name],
            minutes=minutes[name],
            n_failures=failures[name],
            n_faults=faults[name],
        )
        for name in names
    }


def load_latencies(live: Mapping[str, int], now: datetime) -> dict[str, Latency]:
    """How long the newest answers of each model's live version took; two queries.

    Models without an answer in the past day are left out.
    """
    newest = Window(RowNumber(), partition_by=F("model"), order_by=F("start_at").desc())
    blocks = _of_versions(TrafficSum.objects, live).filter(span=Span.BLOCK, start_at__gte=now - DAY)
    ranked = blocks.annotate(place=newest).filter(place__lte=NEWEST_BLOCKS)
    ids = list(ranked.order_by().values_list("pk", flat=True))
    seconds: defaultdict[str, Any] = defaultdict(int)
    rows = TrafficSum.objects.filter(pk__in=ids).order_by()
    for model, payload in rows.values_list("model", "payload"):
        seconds[model] = seconds[model] + read_sums(payload).seconds
    return {
        model: Latency(p50_s=quantile(counts, 0.5), p95_s=quantile(counts), n=int(counts.sum()))
        for model, counts in seconds.items()
        if np.any(counts)
    }


def load_labelled(live: Mapping[str, int], now: datetime) -> dict[str, Labelled]:
    """The F1 of each model's live version by the labels of the past day's predictions; one query.

    The source that tells most is shown, one that decisions may rest on before the users'.
    """
    rows = (
        _of_versions(ConfusionCell.objects, live)
        .filter(clock=Clock.PREDICTED, grain=Grain.HOUR, bucket__gte=floor(now - DAY, Grain.HOUR))
        .order_by("model", "source", "actual", "predicted")
        .values_list("model", "source", "actual", "predicted")
        .annotate(Sum("n"), Sum("weight"), Sum("weight_squared"))
    )
    found: defaultdict[str, dict[str, list[tuple[Pair, Cell]]]] = defaultdict(dict)
    for model, source, actual, predicted, n, weight, squared in rows:
        cell = Cell(n, weight / UNIT_WEIGHT, squared / UNIT_WEIGHT**2)
        if n > 0:
            found[model].setdefault(source, []).append(((actual, predicted), cell))
    return {
        model: choose_source({source: tuple(cells) for source, cells in by_source.items()})
        for model, by_source in found.items()
    }


def choose_source(by_source: Mapping[str, Sourced]) -> Labelled:
    """The F1 of the source that tells most: a trusted one with enough labels, else the users'."""
    sizes = {source: _n_effective(source, cells) for source, cells in by_source.items()}
    enough = [source for source, n in sizes.items() if n >= MIN_LABELLED]
    best = max(enough, key=lambda source: (source in TRUSTED, sizes[source]), default=None)
    if best is None:
        n = sum(cell.n for _, cell in chain.from_iterable(by_source.values()))
        return Labelled(f1=None, source="", n_labelled=n)
    return Labelled(
        f1=_f1(best, by_source[best]),
        source=best,
        n_labelled=sum(cell.n for _, cell in by_source[best]),
    )


def load_baselines(live: Mapping[str, int]) -> dict[str, Baseline]:
    """The active reference of each model's live version, where it has one; one query."""
    rows = _of_versions(Reference.objects, live).filter(is_active=True)
    return {
        model: Baseline(reference=id, f1=(summary or {}).get("macro_f1"))
        for model, id, summary in rows.values_list("model", "id", "summary")
    }


def _n_effective(source: str, cells: Sourced) -> float:
    total = sum((cell for _, cell in cells), Cell(0, 0.0, 0.0))
    return total.n_effective if source == Source.AUDIT else float(total.n)


@lru_cache(maxsize=512)
def _f1(source: str, cells: Sourced) -> Estimate:
    # The page is read again and again; the same counts always have the same interval.
    if source == Source.AUDIT:
        table = weighted_matrix(dict(cells))
        return weighted.judge(table, n_draws=FEWEST_DRAWS).quality.macro.f1
    counts = matrix({pair: cell.n for pair, cell in cells})
    return judge(counts, n_draws=FEWEST_DRAWS).macro.f1


def _of_versions(rows: Any, live: Mapping[str, int]) -> Any:
    """`rows` of each model's live version: a condition for each version, not for each model."""
    by_version: defaultdict[int, list[str]] = defaultdict(list)
    for name, number in live.items():
        by_version[number].append(name)
    chosen = Q(pk__in=[])
    for number, names in sorted(by_version.items()):
        chosen |= Q(model__in=names, version=number)
    # Said twice: with the lists an index can be used, and the pairs leave out what is too many.
    return rows.filter(chosen, model__in=list(live), version__in=list(by_version))


def _counts(names: Collection[str], grain: Grain, since: datetime) -> Any:
    rows = PredictionCount.objects.filter(model__in=list(names), grain=grain, bucket__gte=since)
    return rows.order_by()


def _by_bucket(
    names: Collection[str], grain: Grain, since: datetime, length: timedelta, n: int
) -> dict[str, tuple[int, ...]]:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * n)
    rows = _counts(names, grain, since).values_list("model", "bucket").annotate(total=Sum("n"))
    for model, bucket, total in rows:
        place = (bucket - since) // length
        if 0 <= place < n:
            counts[model][place] += total
    return {name: tuple(counts[name]) for name in names}


def _failures(names: Collection[str], since: datetime) -> tuple[Counter[str], Counter[str]]:
    """Requests that failed, and those of them that the server is to blame for, by model."""
    rows = FailureCount.objects.filter(
        model__in=list(names), grain=Grain.MINUTE, bucket__gte=since
    ).order_by()
    every: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for model, code, total in rows.values_list("model", "code").annotate(total=Sum("n")):
        every[model] += total
        faults[model] += total if code in SERVER_FAULTS else 0
    return every, faults
