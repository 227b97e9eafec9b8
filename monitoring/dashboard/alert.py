"""What the page of one alert shows: evidence, what to do, what happened, and who was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Prefetch
from django.urls import reverse

from access.scopes import Scope
from monitoring.alerting.matching import active_silences
from monitoring.dashboard import alert_words as words
from monitoring.dashboard.alerts import AlertRow, row_of, stamp
from monitoring.dashboard.evidence import Figure, Table, figures_of, show, tables_of
from monitoring.dashboard.history_plot import HistoryPlot, Reading, draw
from monitoring.errors import AlertNotFound
from monitoring.models import (
    Alert,
    AlertState,
    Evaluation,
    Notification,
    Silence,
    Transition,
)
from monitoring.verdicts import Verdict

MOST_TRANSITIONS = 200
MOST_READINGS = 60
_SLACK = timedelta(minutes=10)
_BAD = [verdict.value for verdict in Verdict if verdict.is_bad]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to do next, with its address; `scope` is what whoever does it needs."""

    act: str
    why: str
    url: str
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The newest bad evaluation: its numbers, its tables, and its monitor's values over time."""

    at: datetime | None
    start: datetime | None
    end: datetime | None
    verdict: str
    monitor: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    plot: HistoryPlot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    row: AlertRow
    about: str
    note: str
    opened_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    seen_at: datetime
    newest: Evaluation | None
    evidence: Evidence
    steps: tuple[Step, ...]
    transitions: tuple[Transition, ...]
    silences: tuple[Silence, ...]

    @property
    def is_firing(self) -> bool:
        return self.row.state == AlertState.FIRING

    @property
    def is_open(self) -> bool:
        return self.row.state in (AlertState.FIRING, AlertState.PENDING)


def load_alert(id: UUID, now: datetime) -> AlertPage:
    """All that is known of one alert, in at most nine queries. Raises AlertNotFound."""
    alert = Alert.objects.filter(pk=id).first()
    if alert is None:
        raise AlertNotFound(f"There is no alert {id}.", details={"id": str(id)})
    silences = [each for each in active_silences(now) if _holds(each, alert)]
    bad = _load_bad(alert)
    newest = (
        Evaluation.objects.filter(pk=alert.evaluation).select_related("monitor").first()
        if alert.evaluation
        else None
    )
    return AlertPage(
        row=row_of(alert, silences, now),
        about=words.kind_of(alert.kind).about,
        note=alert.note,
        opened_at=alert.opened_at,
        fired_at=alert.fired_at,
        resolved_at=alert.resolved_at,
        seen_at=alert.seen_at,
        newest=newest,
        evidence=_evidence(alert, bad or newest),
        steps=tuple(_steps(alert, bad, now)),
        transitions=tuple(_load_transitions(alert)),
        silences=tuple(silences),
    )


def _holds(silence: Silence, alert: Alert) -> bool:
    is_open = alert.state in (AlertState.FIRING, AlertState.PENDING)
    return (
        is_open
        and silence.model in ("", alert.model)
        and silence.version in (None, alert.version)
        and silence.kind in ("", alert.kind)
    )


def _load_bad(alert: Alert) -> Evaluation | None:
    """The newest evaluation that spoke for the alert; None where it is no longer kept."""
    rows = Evaluation.objects.filter(
        model=alert.model,
        version=alert.version,
        kind=alert.kind,
        verdict__in=_BAD,
        at__gte=alert.opened_at - _SLACK,
    )
    if alert.resolved_at:
        rows = rows.filter(at__lte=alert.resolved_at)
    return rows.select_related("monitor").order_by("-at", "-pk").first()


def _evidence(alert: Alert, found: Evaluation | None) -> Evidence:
    details: dict[str, Any] = (found.details if found else alert.details) or {}
    return Evidence(
        at=found.at if found else None,
        start=found.window_start_at if found else None,
        end=found.window_end_at if found else None,
        verdict=found.verdict if found else "",
        monitor=found.monitor.name if found and found.monitor else "",
        figures=(*_numbers(alert, found), *figures_of(details)),
        tables=tables_of(details),
        plot=draw(_load_readings(found)) if found else None,
    )


def _numbers(alert: Alert, found: Evaluation | None) -> list[Figure]:
    """The evaluation's own fields; what an alert without one kept of them."""

    def of(name: str) -> Any:
        return getattr(found, name) if found else alert.details.get(name)

    told = [
        ("Value", "value", "what was measured"),
        ("Threshold", "threshold", "what it was compared with"),
        ("p-value", "p_value", "how probable this is by chance alone"),
        ("Effect", "effect", "how large the change is"),
        ("In the window", "n_window", "items that were looked at"),
        ("In the reference", "n_reference", "items that they were compared with"),
        ("Budget spent", "alpha", "the false-alarm probability that this look was given"),
    ]
    return [Figure(name, show(of(field)), help) for name, field, help in told if of(field)]


def _load_readings(found: Evaluation) -> list[Reading]:
    rows = Evaluation.objects.filter(
        model=found.model, version=found.version, kind=found.kind, at__lte=found.at
    )
    if found.monitor_id:
        rows = rows.filter(monitor=found.monitor_id)
    numbers = rows.order_by("-at", "-pk").values_list(
        "at", "value", "threshold", "p_value", "alpha", "verdict"
    )[:MOST_READINGS]
    return [Reading(*row[:5], is_bad=row[5] in _BAD) for row in reversed(numbers)]


def _load_transitions(alert: Alert) -> list[Transition]:
    """The newest first, each with what was sent of it."""
    told = Notification.objects.select_related("channel").order_by("pk")
    rows = Transition.objects.filter(alert=alert).order_by("-pk")
    return list(rows.prefetch_related(Prefetch("notifications", told))[:MOST_TRANSITIONS])


def _steps(alert: Alert, bad: Evaluation | None, now: datetime) -> Sequence[Step]:
    """What helps with this kind, each with an address where the window is filled in already."""
    row = row_of(alert, [], now)
    window = {"version": str(alert.version), "from": row.start_at, "to": row.end_at}
    if bad and bad.window_start_at and bad.window_end_at:
        # Whole minutes on either side, so that nothing of the window is cut off.
        end = bad.window_end_at + timedelta(seconds=59)
        window |= {"from": stamp(bad.window_start_at), "to": stamp(end)}
    around = {"version": str(alert.version), "from": row.start_at, "to": row.end_at}
    queries = {
        words.DRIFT: window | {"explain": "yes"},
        words.MODEL: around,
        words.PREDICTIONS: {"model": alert.model, "known": "wrong"} | window,
        words.UPLOAD: {"model": alert.model},
    }
    return [
        Step(
            act=each.act,
            why=each.why,
            url=_address(each.place, row, queries.get(each.place, {})),
            scope=each.scope,
        )
        for each in words.advice_for(alert.kind)
    ]


def _address(place: str, row: AlertRow, query: dict[str, str]) -> str:
    of_a_model = (words.DRIFT, words.LABEL, words.COMPARE, words.ROLL_BACK, words.MODEL)
    if place == words.REFERENCE:
        path = reverse("admin:monitoring_reference_make")
    elif place in of_a_model:
        path = reverse(f"dashboard:{place}", args=[row.namespace, row.name])
    else:
        path = reverse(f"dashboard:{place}")
    return f"{path}?{urlencode(query)}" if query else path
