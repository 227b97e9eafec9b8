"""How latency and confidence were spread in each step, by histograms.

Of what is more than a day old there are profiles of hours and days; the rest is read from slots of
five minutes. Where steps are shorter than what is kept, each shows what holds it.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import numpy as np

from monitoring.drift.grids import N_BINS, Counts
from monitoring.models import Span, TrafficProfile, TrafficSum
from monitoring.rollups import Scope
from monitoring.timelines import percentiles
from monitoring.timelines.specs import Shapes
from monitoring.timelines.steps import Steps
from monitoring.traffic.payloads import read_sums
from monitoring.traffic.profiles import CONFIDENCE, LATENCY, profile_of
from monitoring.traffic.profiling import read_profile
from monitoring.windows import LENGTHS, Grain

# Until the compaction has taken in the hours from before there were profiles.
MOST_DECODED = 1000
_HOUR = LENGTHS[Grain.HOUR]

# Where a profile begins, where it ends, and what it says.
Part = tuple[datetime, datetime, Counts]


def load_shapes(scope: Scope, steps: Steps, versions: Collection[int]) -> Shapes:
    """Of `versions` together; NaN where nothing was answered."""
    counts = np.zeros((2, steps.n, N_BINS), np.int64)
    if versions:
        for start, end, profile in _parts(scope, steps, versions):
            counts[:, steps.span(start, end)] += profile[:, None, :]
    return Shapes(
        latency_s=percentiles.of_latencies(counts[LATENCY]),
        confidence=percentiles.of_probabilities(counts[CONFIDENCE]),
    )


def _parts(scope: Scope, steps: Steps, versions: Collection[int]) -> Iterator[Part]:
    window, where = steps.window, {"model": scope.model, "version__in": sorted(versions)}
    if scope.segment is not None:
        where["segment"] = scope.segment
    grain = Grain.DAY if steps.grain is Grain.DAY else Grain.HOUR
    length = LENGTHS[grain]
    kept = TrafficProfile.objects.filter(
        **where, grain=grain, bucket__gt=window.start - length, bucket__lt=window.end
    )
    for bucket, payload in kept.order_by().values_list("bucket", "payload"):
        yield bucket, bucket + length, read_profile(payload)
    sums = TrafficSum.objects.filter(
        # Says the same as the next line, but an index can use it.
        **where,
        start_at__gt=window.start - _HOUR,
        end_at__gt=window.start,
        start_at__lt=window.end,
    ).order_by()
    slots = sums.filter(span=Span.SLOT).values_list("id", "start_at", "end_at", "profile")
    left = []
    for pk, start, end, profile in slots:
        if profile is None:
            left.append(pk)
        else:
            yield start, end, read_profile(profile)
    hours = sums.filter(span=Span.HOUR, profiled_at=None).order_by("-start_at")
    left += hours.values_list("id", flat=True)[:MOST_DECODED]
    yield from _decoded(left[:MOST_DECODED])


def _decoded(ids: Collection[int]) -> Iterator[Part]:
    """Rows from before there were profiles."""
    if ids:
        rows: Any = TrafficSum.objects.filter(id__in=ids)
        for start, end, payload in rows.values_list("start_at", "end_at", "payload"):
            yield start, end, profile_of(read_sums(payload))
