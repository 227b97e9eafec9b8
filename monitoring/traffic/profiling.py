"""Profiles of hours and days: added to in the transaction that ends what they are made of."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from monitoring.drift.grids import Counts
from monitoring.models import Span, TrafficProfile, TrafficSum
from monitoring.traffic import profiles
from monitoring.traffic.payloads import read_sums
from monitoring.windows import Grain, floor

logger = logging.getLogger(__name__)

GRAINS = (Grain.DAY, Grain.HOUR)
# A run of the compaction takes in so many hours from before there were profiles: about a minute.
HOURS_PER_RUN = 5000


def read_profile(data: bytes | memoryview) -> Counts:
    """What `data` holds; nothing, and a line in the log, where it cannot be read."""
    try:
        return profiles.decode(data)
    except ValueError:
        logger.exception("a profile that cannot be read is left out")
        return profiles.nothing()


def add(model: str, version: int, hour: datetime, by_segment: Mapping[str, Counts]) -> None:
    """Add the profiles of an hour's segments to the hour and its day, in the caller's transaction.

    The caller holds the rows that they are made of, and marks or deletes them.
    """
    added = {segment: profile for segment, profile in by_segment.items() if profile.any()}
    if not added:
        return
    # In one order everywhere, so that two compactions never wait for each other in a circle.
    keys = [(grain, floor(hour, grain), segment) for grain in GRAINS for segment in sorted(added)]
    TrafficProfile.objects.bulk_create(
        [
            TrafficProfile(
                model=model,
                grain=grain,
                bucket=bucket,
                version=version,
                segment=segment,
                payload=profiles.encode(profiles.nothing()),
            )
            for grain, bucket, segment in keys
        ],
        ignore_conflicts=True,
    )
    places = Q()
    for grain in GRAINS:
        places |= Q(grain=grain, bucket=floor(hour, grain))
    rows = TrafficProfile.objects.select_for_update(no_key=True).filter(
        places, model=model, version=version, segment__in=list(added)
    )
    for row in rows.order_by("id"):
        total = read_profile(row.payload) + added[row.segment]
        TrafficProfile.objects.filter(pk=row.pk).update(payload=profiles.encode(total))


def profile_hours(now: datetime, *, most: int = HOURS_PER_RUN) -> int:
    """Take in hours from before there were profiles, newest first; returns how many rows.

    Each hour is a transaction of its own, so a run that is cut short is gone on with.
    """
    rows = TrafficSum.objects.filter(span=Span.HOUR, profiled_at=None).order_by("-start_at")
    places = rows.values_list("model", "version", "start_at")[:most]
    return sum(_profile_hour(*place, now) for place in sorted(set(places)))


@transaction.atomic
def _profile_hour(model: str, version: int, hour: datetime, now: datetime) -> int:
    rows = TrafficSum.objects.select_for_update().filter(
        model=model, version=version, span=Span.HOUR, start_at=hour, profiled_at=None
    )
    return take_in(model, version, hour, rows.order_by("id"), now)


def take_in(
    model: str, version: int, hour: datetime, rows: Iterable[TrafficSum], now: datetime
) -> int:
    """Add the locked `rows` of an hour to its profiles, and mark them; returns how many."""
    by_segment: defaultdict[str, Counts] = defaultdict(profiles.nothing)
    taken = list(rows)
    for row in taken:
        by_segment[row.segment] += profiles.profile_of(read_sums(row.payload))
    add(model, version, hour, by_segment)
    TrafficSum.objects.filter(id__in=[row.pk for row in taken]).update(profiled_at=now)
    return len(taken)
