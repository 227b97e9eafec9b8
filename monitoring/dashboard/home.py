"""What the home page shows: every model's state at a glance, worst first, a page at a time.

The number of queries is the same for one model and for fifty, and none of them reads predictions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery

from monitoring.dashboard import home_numbers as numbers
from monitoring.dashboard.home_facts import AlertCount, DriftVerdict, Guess, ModelRow, OpenAlert
from monitoring.dashboard.home_numbers import NO_LABELS, Traffic
from monitoring.dashboard.sparklines import Sparkline, draw
from monitoring.evaluating.services import source_of
from monitoring.labelling.asking import OPEN_FOR
from monitoring.models import (
    Alert,
    AlertState,
    AuditItem,
    AuditState,
    Evaluation,
    Monitor,
    MonitorKind,
)
from monitoring.quality.report import Estimate
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from registry import overview as registry
from registry.overview import NamedModel

PER_PAGE = 50
# Of more models the busiest are not looked for: they come by name, after those that alarm.
MOST_SORTED = 2_000
MOST_ALERTS = 1_000
_OPEN = (AlertState.PENDING, AlertState.FIRING)
_READ_KINDS = (MonitorKind.DRIFT, MonitorKind.ESTIMATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One page of models, and the figures of all that were searched for."""

    rows: tuple[ModelRow, ...]
    n_models: int
    n_serving: int
    n_day: int
    n_firing: int
    n_pending: int
    n_waiting_labels: int
    n_operations: int
    page: int
    n_pages: int

    @property
    def before(self) -> int:
        return self.page - 1

    @property
    def after(self) -> int:
        return self.page + 1


def load_home(*, now: datetime, search: str = "", page: int = 1) -> Home:
    """The page; one beyond the last is the last one."""
    found = registry.load_names(search)
    alerts = _load_alerts()
    n_day = numbers.count_day([each.name for each in found[:MOST_SORTED]], now)
    ordered = sort_models(found, alerts, n_day)
    n_pages = max(1, -(-len(ordered) // PER_PAGE))
    page = min(max(page, 1), n_pages)
    shown = ordered[(page - 1) * PER_PAGE : page * PER_PAGE]
    of_found = [alert for alert in alerts if alert.model in {each.name for each in found}]
    return Home(
        rows=_load_rows(shown, alerts, now),
        n_models=len(found),
        n_serving=sum(each.live is not None for each in found),
        n_day=sum(n_day.values()),
        n_firing=sum(alert.is_firing for alert in of_found),
        n_pending=sum(not alert.is_firing for alert in of_found),
        n_waiting_labels=_count_waiting(now),
        n_operations=registry.count_unfinished_operations(),
        page=page,
        n_pages=n_pages,
    )


def sort_models(
    models: Sequence[NamedModel], alerts: Sequence[OpenAlert], n_day: Mapping[str, int]
) -> list[NamedModel]:
    """The loudest alarm first, then pending ones, then by traffic, then by name."""
    ranks: dict[str, int] = defaultdict(int)
    for alert in alerts:
        rank = 2 + Severity(alert.severity).rank if alert.is_firing else 1
        ranks[alert.model] = max(ranks[alert.model], rank)
    return sorted(models, key=lambda each: (-ranks[each.name], -n_day.get(each.name, 0), each.name))


def count_firing() -> int:
    """How many alerts fire."""
    return Alert.objects.filter(state=AlertState.FIRING).count()


def _load_rows(
    shown: Sequence[NamedModel], alerts: Sequence[OpenAlert], now: datetime
) -> tuple[ModelRow, ...]:
    names = [each.name for each in shown]
    live = {each.name: each.live for each in shown if each.live is not None}
    overviews = registry.load_overviews(names)
    traffic = numbers.load_traffic(names, now)
    latencies = numbers.load_latencies(live, now)
    labelled = numbers.load_labelled(live, now)
    baselines = numbers.load_baselines(live)
    verdicts, guesses = _load_answers(live, alerts)
    by_model: defaultdict[str, list[OpenAlert]] = defaultdict(list)
    for alert in alerts:
        by_model[alert.model].append(alert)
    return tuple(
        ModelRow(
            overview=overviews[each.name],
            live=each.live,
            traffic=traffic[each.name],
            sparkline=draw_traffic(traffic[each.name]),
            latency=latencies.get(each.name),
            labelled=labelled.get(each.name, NO_LABELS),
            guess=guesses.get(each.name),
            baseline=baselines.get(each.name),
            drift=tuple(verdicts[each.name]),
            alerts=count_alerts(by_model[each.name]),
        )
        for each in shown
        if each.name in overviews
    )


def draw_traffic(traffic: Traffic) -> Sparkline | None:
    """By hour; by minute where all of it came within the past hour, which would be one peak."""
    if traffic.n_hour == traffic.n_day:
        return draw(traffic.minutes, what="Predictions a minute over the past hour")
    return draw(traffic.hours, what="Predictions an hour over the past day")


def count_alerts(alerts: Sequence[OpenAlert]) -> tuple[AlertCount, ...]:
    """By state and severity, firing and critical ones first."""
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    for alert in alerts:
        counts[alert.state, alert.severity] += 1
    keys = sorted(counts, key=lambda key: (key[0] != AlertState.FIRING, -Severity(key[1]).rank))
    return tuple(
        AlertCount(n=counts[state, severity], severity=severity, state=state)
        for state, severity in keys
    )


def _load_alerts() -> list[OpenAlert]:
    rows = Alert.objects.filter(state__in=_OPEN).order_by("-opened_at")
    fields = ("model", "version", "kind", "state", "severity", "opened_at")
    return [
        OpenAlert(
            **{name: getattr(row, name) for name in fields},
            since={
                source: datetime.fromisoformat(tally["bad_since"])
                for source, tally in row.tallies.items()
            },
        )
        for row in rows.only(*fields, "tallies")[:MOST_ALERTS]
    ]


def _load_answers(
    live: Mapping[str, int], alerts: Sequence[OpenAlert]
) -> tuple[defaultdict[str, list[DriftVerdict]], dict[str, Guess]]:
    """The newest drift verdicts and estimates of the live versions, by model."""
    began = {
        (alert.model, alert.version, source): at
        for alert in alerts
        for source, at in alert.since.items()
    }
    verdicts: defaultdict[str, list[DriftVerdict]] = defaultdict(list)
    guesses: dict[str, Guess] = {}
    for row in _newest_evaluations(list(live)):
        model, version = row["model"], row["version"]
        if live[model] != version:
            continue
        if row["kind"] == MonitorKind.DRIFT:
            since = began.get((model, version, source_of(row["monitor_id"])))
            verdicts[model].append(_verdict(row, since))
        elif guess := _guess(row):
            guesses[model] = guess
    return verdicts, guesses


def _verdict(row: Mapping[str, Any], since: datetime | None) -> DriftVerdict:
    is_bad = Verdict(row["verdict"]).is_bad
    return DriftVerdict(
        monitor=row["monitor__name"],
        verdict=row["verdict"],
        summary=row["summary"],
        at=row["at"],
        since=since if is_bad else None,
    )


def _guess(row: Mapping[str, Any]) -> Guess | None:
    """None where the monitor could not estimate."""
    low, value, high = row["details__macro_f1"] or (None, None, None)
    if row["verdict"] == Verdict.INSUFFICIENT_DATA or value is None:
        return None
    return Guess(f1=Estimate(value, low, high), at=row["at"], n=row["n_window"])


def _count_waiting(now: datetime) -> int:
    rows = AuditItem.objects.filter(state=AuditState.OPEN, at__gte=now - OPEN_FOR)
    return rows.count()


def _newest_evaluations(names: list[str]) -> list[dict[str, Any]]:
    newest = Evaluation.objects.filter(monitor=OuterRef("pk")).order_by("-at", "-pk")
    ids = (
        Monitor.objects.filter(
            model__in=names, kind__in=_READ_KINDS, is_enabled=True, deleted_at=None
        )
        .annotate(newest=Subquery(newest.values("pk")[:1]))
        .values_list("newest", flat=True)
    )
    rows = Evaluation.objects.filter(pk__in=[id for id in ids if id])
    fields = ("model", "version", "kind", "monitor_id", "monitor__name", "verdict", "summary")
    chosen = rows.order_by("model", "monitor__name").values(
        *fields, "at", "n_window", "details__macro_f1"
    )
    return list(chosen)
