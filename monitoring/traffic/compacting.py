"""What grows old shrinks: slots become hours, the sample thins out, and in the end both go.

Every step is a transaction of its own and may be repeated. A writer may still add late predictions:
it makes a new slot, which the next compaction adds to its hour.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from monitoring.drift import sums as drift_sums
from monitoring.models import Exemplar, Reference, ReferenceState, Span, TrafficSum
from monitoring.traffic.memory import VersionKey
from monitoring.traffic.payloads import read_sums
from monitoring.traffic.profiling import profile_hours, take_in
from monitoring.traffic.reservoir import delete_unlocked
from monitoring.traffic.spans import BLOCKED_ITEMS, HOUR, MOST_BLOCKS
from monitoring.windows import Grain, floor

SLOTS_FOR = timedelta(days=1)
# By then a slot's predictions are in rows, but for those of a journal whose process has died.
CLOSED_AFTER = timedelta(hours=1)
CHUNK_ROWS = 500
_OPEN = (ReferenceState.QUEUED, ReferenceState.RUNNING, ReferenceState.COLLECTING)


@dataclass(frozen=True, slots=True)
class Compacted:
    """`n_merged` rows went into hours; of the sample `n_thinned` went; `n_dropped` were too old.
    `n_profiled` hours from before there were profiles are in them now.
    """

    n_merged: int
    n_thinned: int
    n_dropped: int
    n_profiled: int

    @property
    def n(self) -> int:
        return self.n_merged + self.n_thinned + self.n_dropped + self.n_profiled


def compact(now: datetime) -> Compacted:
    """Do all that is due at `now`."""
    return Compacted(
        n_merged=merge_slots(now),
        n_thinned=thin_sample(now),
        # Before what is old is dropped: profiles outlive it.
        n_profiled=profile_hours(now),
        n_dropped=drop_old(now) + drop_blocks(),
    )


def merge_slots(now: datetime) -> int:
    """Put the slots of each hour that is older than a day together, and add them to its profile and
    its day's; returns how many rows.
    """
    before = floor(now - SLOTS_FOR, Grain.HOUR)
    old = TrafficSum.objects.filter(span=Span.SLOT, start_at__lt=before).order_by()
    places = old.values_list("model", "version", "start_at").distinct()
    hours = {(model, version, floor(at, Grain.HOUR)) for model, version, at in places}
    return sum(_merge_hour(*hour, now) for hour in sorted(hours))


def _merge_hour(model: str, version: int, hour: datetime, now: datetime) -> int:
    with transaction.atomic():
        # Locked in the order of their ids, as writers do.
        rows = TrafficSum.objects.select_for_update().order_by("id")
        here = rows.filter(
            model=model,
            version=version,
            span__in=(Span.SLOT, Span.HOUR),
            start_at__gte=hour,
            start_at__lt=hour + HOUR,
        )
        rows_here = list(here)
        take_in(model, version, hour, [row for row in rows_here if row.profiled_at is None], now)
        by_segment: defaultdict[str, list[TrafficSum]] = defaultdict(list)
        for row in rows_here:
            by_segment[row.segment].append(row)
        return sum(_merge_rows(hour, together, now) for together in by_segment.values())


def _merge_rows(hour: datetime, rows: list[TrafficSum], now: datetime) -> int:
    """Make one row of `rows`, which are of one segment; returns how many slots went into it."""
    n_slots = sum(row.span == Span.SLOT for row in rows)
    if not n_slots:
        return 0
    total = drift_sums.total([read_sums(row.payload) for row in rows])
    kept, *others = rows
    kept.span, kept.journal = Span.HOUR, None
    kept.profile, kept.profiled_at = None, now
    kept.start_at, kept.end_at = hour, hour + HOUR
    kept.n, kept.payload = total.n, drift_sums.encode(total)
    kept.save()
    TrafficSum.objects.filter(id__in=[row.pk for row in others]).delete()
    return n_slots


def thin_sample(now: datetime) -> int:
    """Leave each closed slot, and each hour older than a day, its lowest ranks; returns how many
    exemplars went.

    What was kept for a reference that is no longer being made is part of the sample again.
    """
    _release_collected()
    size: int = settings.BELLWETHER_RESERVOIR_SIZE
    day_ago = floor(now - SLOTS_FOR, Grain.HOUR)
    slots = (
        Exemplar.objects.filter(slot_at__lt=now - CLOSED_AFTER)
        .order_by()
        .values_list("model", "version", "slot_at")
        .annotate(n=Count("pk"))
    )
    stretches: defaultdict[tuple[VersionKey, datetime, datetime], list[int]] = defaultdict(list)
    for model, version, at, n in slots:
        hour = floor(at, Grain.HOUR)
        stretch = (hour, hour + HOUR) if at < day_ago else (at, at)
        stretches[(model, version), *stretch].append(n)
    return sum(
        _thin(key, start, end, size)
        for (key, start, end), counts in sorted(stretches.items())
        if len(counts) > 1 or counts[0] > size
    )


def _thin(key: VersionKey, start: datetime, end: datetime, size: int) -> int:
    """Make one stretch of the slots in [start, end), or of the one slot `start`, and thin it."""
    model, version = key
    rows = Exemplar.objects.filter(model=model, version=version)
    with transaction.atomic():
        if start != end:
            rows.filter(slot_at__gt=start, slot_at__lt=end).update(slot_at=start)
        rows = rows.filter(slot_at=start)
        kth = rows.order_by("rank").values_list("rank", flat=True)[size - 1 : size] if size else ()
        above = next(iter(kth), None if size else -1)
        if above is None:
            return 0
        return delete_unlocked(rows.filter(rank__gt=above, is_collected=False))


def _release_collected() -> None:
    wanted = Reference.objects.filter(
        model=OuterRef("model"), version=OuterRef("version"), state__in=_OPEN
    )
    Exemplar.objects.filter(~Exists(wanted), is_collected=True).update(is_collected=False)


def drop_old(now: datetime) -> int:
    """Delete sums and exemplars beyond their days; returns how many rows.

    An exemplar outlives its prediction's row in no case, not even while it is collected.
    """
    oldest_sum, oldest_sampled, oldest_kept = (
        now - timedelta(days=days)
        for days in (
            settings.BELLWETHER_SUMS_DAYS,
            settings.BELLWETHER_RESERVOIR_DAYS,
            settings.BELLWETHER_RETENTION_DAYS,
        )
    )
    return (
        _delete(TrafficSum.objects.filter(end_at__lt=oldest_sum))
        + _delete(Exemplar.objects.filter(at__lt=oldest_sampled, is_collected=False))
        + _delete(Exemplar.objects.filter(at__lt=oldest_kept))
    )


def drop_blocks() -> int:
    """Leave each version the newest blocks that hold 12,800 predictions; returns how many went."""
    blocks = TrafficSum.objects.filter(span=Span.BLOCK)
    versions = blocks.order_by().values_list("model", "version").distinct()
    n_dropped = 0
    for model, version in versions:
        of_version = blocks.filter(model=model, version=version).order_by("-start_at", "-id")
        n_dropped += _drop_beyond(of_version.values_list("id", "n"))
    return n_dropped


def _drop_beyond(newest: Iterable[tuple[int, int]]) -> int:
    rows = list(newest)
    before = accumulate((n for _, n in rows), initial=0)
    old = [
        pk
        for i, ((pk, _), reached) in enumerate(zip(rows, before, strict=False))
        if reached >= BLOCKED_ITEMS or i >= MOST_BLOCKS
    ]
    return _delete(TrafficSum.objects.filter(id__in=old)) if old else 0


def _delete(rows: Any) -> int:
    """Delete `rows` in small transactions, those that nobody holds at the moment."""
    n_deleted = 0
    while n := delete_unlocked(rows, CHUNK_ROWS):
        n_deleted += n
    return n_deleted
