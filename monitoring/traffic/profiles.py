"""What is kept for good of a stretch's traffic: its histograms of latency and confidence, packed
into some two hundred bytes. Pure.

A profile is an array [2, 64] of counts: durations in the bins of `grids.SECONDS`, then the
predicted labels' probabilities in those of `grids.PROBABILITY`.
"""

import numpy as np

from monitoring.drift.grids import N_BINS, Counts
from monitoring.drift.sums import Sums

LATENCY, CONFIDENCE = 0, 1
_SCHEMA = 1
_WIDTHS = ("<u1", "<u2", "<u4", "<u8")


def nothing() -> Counts:
    """The profile of no answers."""
    return np.zeros((2, N_BINS), np.int64)


def profile_of(sums: Sums) -> Counts:
    """The profile of the answers that `sums` are of."""
    return np.stack([sums.seconds, sums.confidence.sum(axis=0)]).astype(np.int64)


def encode(profile: Counts) -> bytes:
    """Both histograms from their first to their last count, in the fewest bytes a count.

    >>> one = nothing()
    >>> one[LATENCY, 20:30], one[CONFIDENCE, 63] = 7, 300
    >>> len(encode(one)), bool((decode(encode(one)) == one).all())
    (19, True)
    """
    return bytes([_SCHEMA]) + b"".join(map(_encode_row, profile))


def decode(data: bytes | memoryview) -> Counts:
    """Raises ValueError for bytes that `encode` did not write."""
    raw = bytes(data)
    if not raw or raw[0] != _SCHEMA:
        raise ValueError("a profile of another schema")
    profile, place = nothing(), 1
    try:
        for row in profile:
            first, n, width = raw[place : place + 3]
            kind = _WIDTHS[width]
            row[first : first + n] = np.frombuffer(raw, kind, n, place + 3)
            place += 3 + n * (1 << width)
    except (ValueError, IndexError) as error:
        raise ValueError(f"not an encoded profile: {error}") from error
    return profile


def _encode_row(row: Counts) -> bytes:
    held = np.flatnonzero(row)
    first, end = (int(held[0]), int(held[-1]) + 1) if len(held) else (0, 0)
    width = (int(row.max()).bit_length() > np.array([8, 16, 32])).sum()
    packed = row[first:end].astype(_WIDTHS[width]).tobytes()
    return bytes([first, end - first, int(width)]) + packed
