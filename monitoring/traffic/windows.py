"""Windows of a version's traffic, read back: by time, by count, by segment, and its sample.

Every reader makes a constant number of queries. Windows by time are widened to whole slots, which
are five minutes long, and an hour once they are older than a day.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Sum

from monitoring.drift import sums as drift_sums
from monitoring.drift.sample import Sample
from monitoring.drift.sums import Sums
from monitoring.models import (
    Exemplar,
    FailureCount,
    Feedback,
    PredictionCount,
    Span,
    TrafficSum,
)
from monitoring.traffic.payloads import read_sums
from monitoring.traffic.sampling import sample_of_exemplars
from monitoring.traffic.spans import HOUR, MOST_BLOCKS
from monitoring.windows import LONGEST, Grain, Window, ceil, floor, split

# At most this many of one reservoir are looked at, whatever is asked for.
MOST_SAMPLED = 10_000
_IDS_PER_QUERY = 500


class Stretch(NamedTuple):
    """Sums with the time that they really cover; None twice where there is nothing."""

    sums: Sums
    start: datetime | None
    end: datetime | None


def load_sums(
    model: str, version: int, *, start: datetime, end: datetime, segment: str | None = None
) -> Sums:
    """The sums of the slots and hours that overlap [start, end); of all segments without one."""
    return load_stretch(model, version, start=start, end=end, segment=segment).sums


def load_stretch(
    model: str, version: int, *, start: datetime, end: datetime, segment: str | None = None
) -> Stretch:
    """As `load_sums`, with the time that is really covered: whole slots and hours."""
    rows = _overlapping(model, version, start, end)
    if segment is not None:
        rows = rows.filter(segment=segment)
    return _stretch(rows.values_list("start_at", "end_at", "payload"))


def load_by_segment(model: str, version: int, *, start: datetime, end: datetime) -> dict[str, Sums]:
    """As `load_sums`, for each segment that has sums of its own; the others are under OTHER."""
    parts: defaultdict[str, list[Sums]] = defaultdict(list)
    rows = _overlapping(model, version, start, end)
    for segment, payload in rows.values_list("segment", "payload"):
        parts[segment].append(read_sums(payload))
    return {segment: drift_sums.total(sums) for segment, sums in sorted(parts.items())}


def load_newest(model: str, version: int, n: int, *, since: datetime | None = None) -> Stretch:
    """The newest whole blocks until they hold `n` predictions or more, fewer if there are not.

    Blocks that began before `since` (say, when the version was promoted) do not count. `end` is
    the time of the newest prediction. At least 12,800 predictions are there to be read.
    """
    blocks = TrafficSum.objects.filter(model=model, version=version, span=Span.BLOCK)
    if since is not None:
        blocks = blocks.filter(start_at__gte=since)
    newest = list(blocks.order_by("-start_at", "-id").values_list("id", "n")[:MOST_BLOCKS])
    reached = list(accumulate(size for _, size in newest))
    n_blocks = bisect_left(reached, n) + 1 if n > 0 else 0
    rows = TrafficSum.objects.filter(id__in=[pk for pk, _ in newest[:n_blocks]])
    return _stretch(rows.values_list("start_at", "end_at", "payload"))


def load_sample(
    model: str, version: int, start: datetime, end: datetime, limit: int = 1000
) -> Sample:
    """Up to `limit` answers of [start, end), each equally likely, with the labels now known.

    Where a stretch had more traffic than its reservoir holds, fewer than `limit` may be there: more
    would favour the quiet stretches. Empty where the reservoir is off.
    """
    chosen = load_exemplars(model, version, start, end, limit)
    return sample_of_exemplars(chosen, load_labels([row.prediction for row in chosen]))


def load_exemplars(
    model: str, version: int, start: datetime, end: datetime, limit: int = 1000
) -> list[Exemplar]:
    """The rows that `load_sample` makes a sample of."""
    rows = Exemplar.objects.filter(model=model, version=version, at__gte=start, at__lt=end)
    lowest = rows.order_by("rank")[: max(0, min(limit, MOST_SAMPLED))]
    return list(_uniform(lowest, settings.BELLWETHER_RESERVOIR_SIZE))


def load_labels(predictions: Iterable[UUID]) -> dict[UUID, str]:
    """What is known to be true of each of `predictions`, as of their latest revision."""
    ids = list(predictions)
    latest: dict[UUID, str] = {}
    for i in range(0, len(ids), _IDS_PER_QUERY):
        rows = Feedback.objects.filter(prediction__in=ids[i : i + _IDS_PER_QUERY])
        latest.update(rows.order_by("revision").values_list("prediction", "label"))
    return latest


def load_failures(model: str, version: int, window: Window) -> dict[str, int]:
    """How many requests of `window` the version failed, by error code."""
    failures: Counter[str] = Counter()
    rows = FailureCount.objects.filter(model=model, version=version)
    for part in _in_window(rows, window):
        failures.update(dict(part.values_list("code").annotate(total=Sum("n"))))
    return dict(failures)


def count_since(model: str, version: int | None, at: datetime) -> int:
    """How many live predictions came since `at`, of one version or of all.

    Whole minutes are counted, so it may be those of a minute too many, never one too few.
    """
    # An end in the future costs nothing, and needs no clock.
    window = Window(floor(at, Grain.MINUTE), ceil(at, Grain.DAY) + LONGEST)
    rows = PredictionCount.objects.filter(model=model)
    if version is not None:
        rows = rows.filter(version=version)
    parts = _in_window(rows, window)
    return sum(part.aggregate(total=Sum("n"))["total"] or 0 for part in parts)


def latest_at(model: str, version: int) -> datetime | None:
    """When the newest summed prediction was answered; None if there never was one."""
    blocks = TrafficSum.objects.filter(model=model, version=version, span=Span.BLOCK)
    found: datetime | None = blocks.aggregate(latest=Max("end_at"))["latest"]
    return found


def _overlapping(model: str, version: int, start: datetime, end: datetime) -> Any:
    return TrafficSum.objects.filter(
        model=model,
        version=version,
        span__in=(Span.SLOT, Span.HOUR),
        # Says the same as the next line, but an index can use it.
        start_at__gt=start - HOUR,
        end_at__gt=start,
        start_at__lt=end,
    ).order_by()


def _stretch(rows: Iterable[tuple[datetime, datetime, bytes | memoryview]]) -> Stretch:
    found = list(rows)
    if not found:
        return Stretch(drift_sums.nothing(), None, None)
    starts, ends, payloads = zip(*found, strict=True)
    decoded = [read_sums(payload) for payload in payloads]
    return Stretch(drift_sums.total(decoded), min(starts), max(ends))


def _uniform(rows: Iterable[Exemplar], size: int) -> Iterator[Exemplar]:
    """Rows by rank up to where the first stretch's reservoir ends: beyond it some are missing."""
    seen: Counter[datetime] = Counter()
    for row in rows:
        yield row
        seen[row.slot_at] += 1
        if seen[row.slot_at] == size:
            return


def _in_window(rows: Any, window: Window) -> Iterator[Any]:
    # A query for each run: an OR of ranges makes SQLite read the whole model.
    for run in split(window):
        yield rows.filter(grain=run.grain, bucket__gte=run.start, bucket__lt=run.end).order_by()
