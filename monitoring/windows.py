"""Windows of time, and the few roll-up buckets that make one up. Pure: now is an argument."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitoring.errors import InvalidWindow

LONGEST = timedelta(days=5 * 366)
DEFAULT = timedelta(hours=24)
_YEARS = range(2000, 2200)


class Grain(StrEnum):
    """How long a roll-up bucket is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


LENGTHS = {
    Grain.MINUTE: timedelta(minutes=1),
    Grain.HOUR: timedelta(hours=1),
    Grain.DAY: timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) in UTC, both on whole minutes."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Buckets:
    """All buckets of one grain that begin in [start, end)."""

    grain: Grain
    start: datetime
    end: datetime


def floor(at: datetime, grain: Grain) -> datetime:
    """The beginning of the bucket that holds `at` (aware), in UTC."""
    at = at.astimezone(UTC).replace(second=0, microsecond=0)
    if grain is Grain.MINUTE:
        return at
    return at.replace(minute=0) if grain is Grain.HOUR else at.replace(hour=0, minute=0)


def ceil(at: datetime, grain: Grain) -> datetime:
    """`at` if a bucket begins there, otherwise the beginning of the next one."""
    start = floor(at, grain)
    return start if start == at else start + LENGTHS[grain]


def parse_time(text: str, field: str) -> datetime:
    """An ISO 8601 date or date and time; without a zone it is UTC. Raises InvalidWindow."""
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidWindow(
            f"{field!r} is no ISO 8601 time: write 2026-11-21T13:45:00Z or 2026-11-21 "
            "(in a URL, + is %2B).",
            details={"field": field},
        ) from None
    if at.year not in _YEARS:
        raise InvalidWindow(
            f"{field!r} is outside the years {_YEARS[0]} to {_YEARS[-1]}.", details={"field": field}
        )
    return at


def parse_window(
    start: str | None,
    end: str | None,
    *,
    now: datetime,
    fields: tuple[str, str] = ("from", "to"),
) -> Window:
    """The window that two texts, of these `fields`, ask for, widened to whole minutes.

    Without an end it ends now; without a start it is a day long. Raises InvalidWindow, naming the
    field, if a text is no time, if `from` is not before `to`, or if they are over five years apart.
    """
    from_, to = fields
    ends = ceil(parse_time(end, to) if end else now, Grain.MINUTE)
    starts = floor(parse_time(start, from_) if start else ends - DEFAULT, Grain.MINUTE)
    if starts >= ends:
        raise InvalidWindow(
            f"{from_!r} must be before {to!r} (without {to!r} a window ends now).",
            details={"field": from_, "from": starts.isoformat(), "to": ends.isoformat()},
        )
    if ends - starts > LONGEST:
        raise InvalidWindow(
            f"{from_!r} to {to!r} may be at most {LONGEST.days} days.", details={"field": from_}
        )
    return Window(starts, ends)


def split(window: Window, *, coarsest: Grain = Grain.DAY) -> tuple[Buckets, ...]:
    """The fewest runs of buckets that make up `window`: minutes, hours, days, hours, minutes.

    >>> at = lambda hour, minute: datetime(2026, 1, 1, hour, minute, tzinfo=UTC)
    >>> [run.grain.value for run in split(Window(at(9, 58), at(12, 0)))]
    ['minute', 'hour']
    """
    return tuple(_split(window.start, window.end, _FINER_TO[coarsest]))


_FINER_TO = {
    Grain.MINUTE: (Grain.MINUTE,),
    Grain.HOUR: (Grain.HOUR, Grain.MINUTE),
    Grain.DAY: (Grain.DAY, Grain.HOUR, Grain.MINUTE),
}


def _split(start: datetime, end: datetime, grains: tuple[Grain, ...]) -> Iterator[Buckets]:
    if start >= end:
        return
    grain, finer = grains[0], grains[1:]
    inner_start, inner_end = ceil(start, grain), floor(end, grain)
    if inner_start >= inner_end:
        yield from _split(start, end, finer)
        return
    yield from _split(start, inner_start, finer)
    yield Buckets(grain, inner_start, inner_end)
    yield from _split(inner_end, end, finer)
