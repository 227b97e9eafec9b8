"""What this process's writer has in mind: one memory, and the facts of versions it looks up."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from monitoring.drift import basis as bases
from monitoring.drift.basis import Basis
from monitoring.models import Basis as BasisRow
from monitoring.models import Reference, ReferenceState, Span, TrafficSum
from monitoring.traffic.memory import Facts, Repeats, Reservoirs, VersionKey
from monitoring.traffic.spans import MOST_SEGMENTS, OTHER

VERSION_AGE_S = 4.0
SEGMENTS_AGE_S = 300.0
SEGMENTS_SEEN_WITHIN = timedelta(days=1)
# Far more than a quarter of an hour of all segments of several journals.
_ROWS_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """`basis` is what features are in, None before there is one; `collecting` is the reference
    that every prediction is kept for, if one is being collected.
    """

    basis: Basis | None
    collecting: int | None


@dataclass(slots=True)
class WriterMemory:
    repeats: Repeats = field(default_factory=Repeats)
    reservoirs: Reservoirs = field(default_factory=Reservoirs)
    versions: Facts[VersionKey, VersionFacts] = field(
        default_factory=lambda: Facts(VERSION_AGE_S, time.monotonic)
    )
    segments: Facts[VersionKey, set[str]] = field(
        default_factory=lambda: Facts(SEGMENTS_AGE_S, time.monotonic)
    )


_memory = WriterMemory()


def get_memory() -> WriterMemory:
    return _memory


def reset_memory() -> None:
    """Start as a new process would: for tests."""
    global _memory
    _memory = WriterMemory()


def load_facts(key: VersionKey, before: VersionFacts | None) -> VersionFacts:
    """The facts of a version now; its basis is decoded again only if it is another one."""
    model, version = key
    rows = BasisRow.objects.filter(model=model, version=version)
    name = rows.values_list("name", flat=True).first()
    basis = before.basis if before else None
    if name is None:
        basis = None
    elif basis is None or basis.name != name:
        basis = bases.decode(bytes(rows.values_list("payload", flat=True)[0]))
    collecting = (
        Reference.objects.filter(
            model=model, version=version, state=ReferenceState.COLLECTING, n_done__lt=F("n_wanted")
        )
        .order_by("id")
        .values_list("id", flat=True)
        .first()
    )
    return VersionFacts(basis, collecting)


def summed_segment(segment: str, key: VersionKey, memory: WriterMemory) -> str:
    """The segment under which `segment` is summed: its own, or OTHER where there are too many."""
    if not segment:
        return segment
    known = memory.segments.get(key, lambda _: _load_segments(key))
    if segment not in known:
        if len(known) >= MOST_SEGMENTS:
            return OTHER
        known.add(segment)
    return segment


def _load_segments(key: VersionKey) -> set[str]:
    model, version = key
    newest = TrafficSum.objects.filter(
        model=model,
        version=version,
        span=Span.SLOT,
        start_at__gte=timezone.now() - SEGMENTS_SEEN_WITHIN,
    ).order_by("-start_at")
    named = newest.exclude(segment__in=("", OTHER)).values_list("segment", flat=True)
    return set(named[:_ROWS_LOOKED_AT])
