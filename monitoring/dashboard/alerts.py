"""What the list of alerts shows: alerts by urgency, silences, and what is watched."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, IntegerField, Max, Q, QuerySet, Value, When

from access.errors import BellwetherError
from monitoring.alerting.matching import active_silences, silenced_until
from monitoring.dashboard.alert_words import kind_of
from monitoring.errors import InvalidFilter
from monitoring.models import (
    Alert,
    AlertState,
    Evaluation,
    Monitor,
    MonitorKind,
    Silence,
)
from monitoring.severity import Severity
from monitoring.windows import parse_time
from registry import queries as registry

PAGE_SIZE = 30
MOST_SILENCES = 50
AROUND = timedelta(hours=1)
"""How much of the time before and after an alert its model's page shows."""
STATES = {
    AlertState.FIRING.value: "firing",
    AlertState.PENDING.value: "pending",
    AlertState.RESOLVED.value: "resolved",
    AlertState.INACTIVE.value: "never fired",
}
_RANK = Case(
    When(state=AlertState.FIRING, severity=Severity.CRITICAL, then=Value(0)),
    When(state=AlertState.FIRING, severity=Severity.WARNING, then=Value(1)),
    When(state=AlertState.FIRING, then=Value(2)),
    When(state=AlertState.PENDING, then=Value(3)),
    default=Value(4),
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the list is narrowed to, and after which row it goes on."""

    state: str = ""
    severity: str = ""
    model: str = ""
    kind: str = ""
    start: datetime | None = None
    end: datetime | None = None
    after: tuple[int, datetime, UUID] | None = None

    @property
    def is_narrowed(self) -> bool:
        asked = (self.state, self.severity, self.model, self.kind, self.start, self.end)
        return any(each for each in asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert of the list; `start_at` and `end_at` are the time to look at its model."""

    id: UUID
    model: str
    version: int
    kind: str
    title: str
    state: str
    severity: str
    summary: str
    since: datetime
    lasted: timedelta
    acknowledged_by: str
    acknowledged_at: datetime | None
    silenced_until: datetime | None
    start_at: str
    end_at: str

    @property
    def namespace(self) -> str:
        return self.model.partition("/")[0]

    @property
    def name(self) -> str:
        return self.model.partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertList:
    """`after` continues the list; empty where it ends."""

    rows: tuple[AlertRow, ...]
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Who is watched, whether something fires or not."""

    n_critical: int
    n_firing: int
    n_pending: int
    n_monitors: int
    n_disabled: int
    n_models: int
    evaluated_at: datetime | None


def read_filters(params: Mapping[str, str]) -> Filters:
    """The filters of a page's address. Raises InvalidFilter or InvalidWindow, naming the field."""
    start = parse_time(params["from"], "from") if params.get("from") else None
    end = parse_time(params["to"], "to") if params.get("to") else None
    if start and end and start >= end:
        raise _invalid("from", "must be before 'to'")
    return Filters(
        state=_choice(params, "state", tuple(STATES)),
        severity=_choice(params, "severity", tuple(Severity)),
        model=params.get("model", "")[:200].replace("\x00", ""),
        kind=_choice(params, "kind", tuple(MonitorKind.values)),
        start=start,
        end=end,
        after=_read_after(params.get("after", "")),
    )


def load_alerts(filters: Filters, now: datetime) -> AlertList:
    """One page of alerts: what fires first, by severity, then pending ones, then what is over."""
    found = _rows(filters)
    if filters.after:
        found = found.filter(_beyond(*filters.after))
    rows = list(found.order_by("rank", "-opened_at", "-id")[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    silences = list(active_silences(now))
    last = shown[-1] if len(rows) > PAGE_SIZE else None
    return AlertList(
        rows=tuple(row_of(alert, silences, now) for alert in shown),
        after=f"{_rank(last)}~{last.opened_at.isoformat()}~{last.pk}" if last else "",
    )


def load_watched() -> Watched:
    """How many alerts are open, and what is watched."""
    is_open = Q(state=AlertState.FIRING)
    alerts = Alert.objects.filter(state__in=(AlertState.FIRING, AlertState.PENDING)).aggregate(
        critical=Count("pk", is_open & Q(severity=Severity.CRITICAL)),
        firing=Count("pk", is_open),
        pending=Count("pk", Q(state=AlertState.PENDING)),
    )
    monitors = Monitor.objects.filter(deleted_at=None).aggregate(
        enabled=Count("pk", Q(is_enabled=True)),
        disabled=Count("pk", Q(is_enabled=False)),
        models=Count("model", Q(is_enabled=True), distinct=True),
    )
    return Watched(
        n_critical=alerts["critical"],
        n_firing=alerts["firing"],
        n_pending=alerts["pending"],
        n_monitors=monitors["enabled"],
        n_disabled=monitors["disabled"],
        n_models=monitors["models"],
        evaluated_at=Evaluation.objects.aggregate(newest=Max("at"))["newest"],
    )


def load_silences(now: datetime) -> list[Silence]:
    """The silences that hold, the one that ends first first."""
    return list(active_silences(now).order_by("until_at", "pk")[:MOST_SILENCES])


def load_model_names() -> list[str]:
    return [spec.name for spec in registry.load_models()]


def row_of(alert: Alert, silences: list[Silence], now: datetime) -> AlertRow:
    """An alert as the list and its own page show it."""
    since = alert.fired_at or alert.opened_at
    until = alert.resolved_at or (alert.seen_at if alert.state == AlertState.INACTIVE else now)
    is_open = alert.state in (AlertState.FIRING, AlertState.PENDING)
    return AlertRow(
        id=alert.pk,
        model=alert.model,
        version=alert.version,
        kind=alert.kind,
        title=kind_of(alert.kind).title,
        state=alert.state,
        severity=alert.severity,
        summary=alert.summary,
        since=since,
        lasted=max(until - since, timedelta()),
        acknowledged_by=alert.acknowledged_by,
        acknowledged_at=alert.acknowledged_at,
        silenced_until=silenced_until(alert, silences) if is_open else None,
        start_at=stamp(alert.opened_at - AROUND),
        end_at=stamp(min(until + AROUND, now)),
    )


def stamp(at: datetime) -> str:
    """A time as addresses carry it: to the minute, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _rows(filters: Filters) -> QuerySet[Any]:
    exact = {name: getattr(filters, name) for name in ("state", "severity", "model", "kind")}
    rows = Alert.objects.filter(**{name: value for name, value in exact.items() if value})
    if not filters.state:
        rows = rows.exclude(state=AlertState.INACTIVE)
    if filters.end:
        rows = rows.filter(opened_at__lt=filters.end)
    if filters.start:
        rows = rows.filter(Q(resolved_at=None) | Q(resolved_at__gte=filters.start))
    return rows.annotate(rank=_RANK)


def _beyond(rank: int, opened_at: datetime, id: UUID) -> Q:
    same = Q(rank=rank)
    return (
        Q(rank__gt=rank)
        | (same & Q(opened_at__lt=opened_at))
        | (same & Q(opened_at=opened_at, id__lt=id))
    )


def _rank(alert: Any) -> int:
    return int(alert.rank)


def _read_after(text: str) -> tuple[int, datetime, UUID] | None:
    if not text:
        return None
    try:
        rank, at, id = text.split("~")
        return int(rank), parse_time(at, "after"), UUID(id)
    except (ValueError, BellwetherError):
        raise _invalid("after", "is no place in this list: begin at its first page") from None


def _choice(params: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = params.get(name, "")
    if text and text not in choices:
        raise _invalid(name, f"must be one of {', '.join(choices)}")
    return text


def _invalid(field: str, remedy: str) -> InvalidFilter:
    return InvalidFilter(f"{field!r} {remedy}.", details={"field": field})
