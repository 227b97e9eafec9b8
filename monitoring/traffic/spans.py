"""How traffic is cut: five-minute slots, hours, blocks of a hundred, segments. Pure."""

from datetime import UTC, datetime, timedelta

SLOT = timedelta(minutes=5)
HOUR = timedelta(hours=1)
BLOCK_ITEMS = 100
# Windows by count reach back at least this far, whatever the number of journals.
BLOCKED_ITEMS = 12_800
MOST_BLOCKS = 1024
MOST_SEGMENTS = 32
OTHER = "…"
"""The segment under which a version's further segments are summed."""


def slot_of(at: datetime) -> datetime:
    """The beginning of the five minutes that hold `at` (aware), in UTC."""
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)
