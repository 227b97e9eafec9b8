"""What all serializers share: how times are written."""

from datetime import datetime


def show_time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


TIMINGS = ("tokenize", "queue", "inference", "total")
