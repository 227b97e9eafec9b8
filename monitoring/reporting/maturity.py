"""How long labels take, and which part of a window is old enough to be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from django.conf import settings

from monitoring.quality.maturity import MATURE_AT, DelayCurve, binned_delay_curve, mature_until
from monitoring.quality.metrics import Counts, Floats
from monitoring.quality.report import Verdict
from monitoring.queries import GroupQuality, load_total
from monitoring.reporting.pairs import load_delays
from monitoring.rollups import By, Group, Scope, load_cells, load_counts
from monitoring.windows import LENGTHS, Grain, Window, ceil, floor

# Longer than this, hours are too many to be read at once; labels hardly take longer.
LONGEST_DELAY = timedelta(days=30)
_SHORTEST_S, _N_BINS = 60.0, 60
_HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """`share` of all predictions have a label `delay_s` seconds after they were made."""

    delay_s: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MaturityReport:
    """What `n` recent predictions, `n_labelled` of them labelled, say of delays.

    A label of `p95_s` seconds is a slow one: what was predicted before `mature_until` has nearly
    all its labels. `mature` and `provisional` are the two parts of the window; without enough
    labels for a curve (INSUFFICIENT_DATA) everything is provisional.
    """

    n: int
    n_labelled: int
    p50_s: float | None
    p95_s: float | None
    mature_until: datetime | None
    curve: tuple[CurvePoint, ...]
    mature: GroupQuality | None
    provisional: GroupQuality | None
    verdict: Verdict | None


def load_maturity(scope: Scope, *, now: datetime) -> MaturityReport:
    """The delay curve of the newest month (or retention time), and `scope`'s window split by it.

    Counts are exact; delays are those of up to 10,000 of the newest labels.
    """
    curve = load_curve(scope, now=now)
    p95_s = curve.quantile_s(MATURE_AT) if curve.is_sufficient else None
    until = None if p95_s is None else floor(mature_until(now, p95_s), Grain.MINUTE)
    mature, provisional = _split(scope.window, until)
    return MaturityReport(
        n=curve.n,
        n_labelled=curve.n_labelled,
        p50_s=curve.quantile_s(0.5) if curve.is_sufficient else None,
        p95_s=p95_s,
        mature_until=until,
        curve=_points(curve) if curve.is_sufficient else (),
        mature=_part(scope, mature),
        provisional=_part(scope, provisional),
        verdict=None if curve.is_sufficient else Verdict.INSUFFICIENT_DATA,
    )


def _part(scope: Scope, window: Window | None) -> GroupQuality | None:
    return load_total(replace(scope, window=window, by=By.NONE)) if window else None


def load_curve(scope: Scope, *, now: datetime) -> DelayCurve:
    """The delay curve of the predictions that `scope` narrows to, whatever its window."""
    kept = min(LONGEST_DELAY, timedelta(days=settings.BELLWETHER_RETENTION_DAYS))
    end = ceil(now, Grain.MINUTE)
    window = Window(floor(end - kept, Grain.HOUR) + LENGTHS[Grain.HOUR], end)
    by_hour = replace(scope, window=window, by=By.HOUR)
    counts = load_counts(by_hour)
    labelled = {hour: sum(cells.values()) for hour, cells in load_cells(by_hour).items()}
    ends_s = np.geomspace(_SHORTEST_S, kept.total_seconds(), _N_BINS)
    waiting = _waiting(counts, labelled, ends_s, now)
    delays = load_delays(by_hour) if labelled else []
    return binned_delay_curve(ends_s, _delayed(delays, sum(labelled.values()), ends_s), waiting)


def _waiting(
    counts: Mapping[Group, int], labelled: Mapping[Group, int], ends_s: Floats, now: datetime
) -> Counts:
    """How many predictions without a label have each age."""
    waiting: Counts = np.zeros(len(ends_s), np.int64)
    for hour, n in counts.items():
        if not isinstance(hour, datetime):
            continue
        age_s = max(0.0, (now - hour - _HALF_HOUR).total_seconds())
        waiting[_bin(age_s, ends_s)] += max(0, n - labelled.get(hour, 0))
    return waiting


def _delayed(delays: Sequence[float], n_labelled: int, ends_s: Floats) -> Counts:
    """How many labels took each delay: those looked at, made as many as there are."""
    seen: Counts = np.zeros(len(ends_s), np.int64)
    for delay in delays:
        seen[_bin(delay, ends_s)] += 1
    whole = max(n_labelled, len(delays)) / max(len(delays), 1)
    scaled: Counts = np.rint(seen * whole).astype(np.int64)
    return scaled


def _bin(seconds: float, ends_s: Floats) -> int:
    return min(int(np.searchsorted(ends_s, seconds)), len(ends_s) - 1)


def _split(window: Window, until: datetime | None) -> tuple[Window | None, Window | None]:
    """The mature and the provisional part of `window`."""
    if until is None or until <= window.start:
        return None, window
    if until >= window.end:
        return window, None
    return Window(window.start, until), Window(until, window.end)


def _points(curve: DelayCurve) -> tuple[CurvePoint, ...]:
    """Where the curve rises."""
    rises = np.flatnonzero(np.diff(curve.share, prepend=0.0) > 0)
    return tuple(CurvePoint(float(curve.delay_s[i]), float(curve.share[i])) for i in rises)
