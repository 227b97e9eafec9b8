"""The log read back: its events as links of the chain, and which version answered at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import QuerySet

from registry.audit import EventRecord, Link
from registry.errors import InvalidField, ModelNotFound
from registry.models import Event, Version
from registry.queries import find_model
from registry.specs import EventKind

ROWS_AT_ONCE = 2_000
YEARS = range(1970, 9_000)

# What decides which version answers; replicas then make it so, and say that they have (SWAPPED).
DECISIONS = (EventKind.PROMOTED, EventKind.ROLLED_BACK, EventKind.ROUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpec:
    """An event as it is told: `at` with its time zone."""

    id: int
    at: datetime
    kind: EventKind
    number: int | None
    from_number: int | None
    to_number: int | None
    actor: str
    reason: str
    details: dict[str, object]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """The stable version that answered at a time, None when none did.

    `since` is the event from which on it answered; `decision` the one by which somebody wanted it,
    which is the same event where no swap was recorded.
    """

    model: str
    at: datetime
    number: int | None
    digest: str | None
    since: EventSpec | None
    decision: EventSpec | None


def load_links() -> Iterator[Link]:
    """Every event in the order of ids, read from one snapshot in pieces."""
    rows = Event.objects.select_related("model").order_by("id")
    return (as_link(row) for row in rows.iterator(chunk_size=ROWS_AT_ONCE))


def as_link(row: Event) -> Link:
    """An event's row as a link of the chain."""
    return Link(
        record=as_record(row),
        previous_hash=row.previous_hash,
        hash=row.hash,
        owner=str(row.model) if row.model else None,
    )


def as_record(row: Event) -> EventRecord:
    """What the hash of an event's row covers."""
    return EventRecord(
        id=row.pk,
        at=row.at,
        model=row.model_name,
        number=row.number,
        kind=row.kind,
        actor=row.actor,
        reason=row.reason,
        details=row.details,
        from_number=row.from_number,
        to_number=row.to_number,
    )


def parse_time(text: str, field: str) -> datetime:
    """An ISO 8601 date or date and time; without a zone it is UTC. Raises InvalidField."""
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None or at.year not in YEARS:
        raise InvalidField(
            f"{field} is no ISO 8601 time: write 2026-11-21T13:45:00Z or 2026-11-21 "
            "(in a URL, + is %2B)",
            details={"field": field},
        )
    return at


def who_answered(model: str, at: datetime) -> Answerer:
    """Which version of `model` was the stable one at the moment `at`, since when, and why.

    A model that was deleted since is still told about. Raises ModelNotFound.
    """
    rows = Event.objects.filter(model__isnull=True, model_name=model)
    try:
        rows |= Event.objects.filter(model=find_model(model))
    except ModelNotFound:
        if not rows.exists():
            raise
    past = rows.filter(at__lte=at).order_by("-id")
    ended = past.filter(kind=EventKind.DELETED).values_list("id", flat=True).first()
    past = past.filter(id__gt=ended or 0)
    swaps = past.filter(kind=EventKind.SWAPPED)
    decisions = past.filter(kind__in=DECISIONS, to_number__isnull=False)
    since = _first_of_last_run(swaps if swaps.exists() else decisions)
    if since is None or since.to_number is None:
        return Answerer(
            model=model,
            at=at,
            number=None,
            digest=None,
            since=event_spec(since) if since else None,
            decision=None,
        )
    decision = decisions.filter(to_number=since.to_number, id__lte=since.pk).first()
    return Answerer(
        model=model,
        at=at,
        number=since.to_number,
        digest=_digest(model, since.to_number),
        since=event_spec(since),
        decision=event_spec(decision) if decision else None,
    )


def load_events_between(
    model: str, start: datetime, end: datetime, *, kinds: Iterable[EventKind], limit: int
) -> tuple[EventSpec, ...]:
    """The newest events of `kinds` in [start, end), newest first; raises ModelNotFound."""
    rows = Event.objects.filter(
        model=find_model(model), at__gte=start, at__lt=end, kind__in=list(kinds)
    )
    return tuple(map(event_spec, rows.order_by("-id")[:limit]))


def event_spec(row: Event) -> EventSpec:
    """The facts of an event's row."""
    return EventSpec(
        id=row.pk,
        at=row.at,
        kind=EventKind(row.kind),
        number=row.number,
        from_number=row.from_number,
        to_number=row.to_number,
        actor=row.actor,
        reason=row.reason,
        details=row.details,
        hash=row.hash,
    )


def _first_of_last_run(newest_first: QuerySet[Event]) -> Event | None:
    """Of the newest events that all led to one version, the first."""
    last = newest_first.first()
    if last is None:
        return None
    others = newest_first.exclude(to_number=last.to_number)
    boundary = others.values_list("id", flat=True).first() or 0
    return newest_first.filter(id__gt=boundary).last()


def _digest(model: str, number: int) -> str | None:
    try:
        row = find_model(model)
    except ModelNotFound:
        return None
    versions = Version.objects.filter(model=row, number=number)
    return versions.values_list("digest", flat=True).first()
