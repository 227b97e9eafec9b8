"""Requests that a version could not answer, counted by error code."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from inference.records import PredictionRecord
from monitoring.counters import Key, add
from monitoring.models import FailureCount
from monitoring.windows import Grain, floor

_LONGEST_CODE = 60


def keep_failures(records: Iterable[PredictionRecord]) -> None:
    """Count failed `records` in every grain, in the caller's transaction."""
    counts: Counter[Key] = Counter()
    for record in records:
        at = datetime.fromtimestamp(record.at, UTC)
        code = record.label[:_LONGEST_CODE]
        for grain in Grain:
            counts[record.model, grain.value, floor(at, grain), record.version, code] += 1
    add(FailureCount, counts)
