"""What happened to a model and its alerts: the marks on its charts."""

from collections.abc import Iterator

from django.db.models import F

from monitoring.models import AlertState, Transition
from monitoring.rollups import Scope
from monitoring.timelines.specs import Mark
from monitoring.windows import Window
from registry.specs import EventKind
from registry.timeline import EventSpec, load_events_between

MOST_MARKS = 200
KINDS = (
    EventKind.PROMOTED,
    EventKind.ROLLED_BACK,
    EventKind.ROUTED,
    EventKind.RETIRED,
    EventKind.REJECTED,
    EventKind.REBASELINED,
)
_DID = {
    EventKind.PROMOTED: "promoted",
    EventKind.ROLLED_BACK: "taken back to",
    EventKind.RETIRED: "retired",
    EventKind.REJECTED: "rejected",
    EventKind.REBASELINED: "given a new reference",
}
_FIRED = {AlertState.FIRING: "alert_firing", AlertState.RESOLVED: "alert_resolved"}


def load_marks(scope: Scope, window: Window) -> list[Mark]:
    """The newest 200 in order: changes of what answers, new references, alerts that fire or end.

    Of one version, only its own alerts; what answers concerns every version.
    """
    marks = [*_of_events(scope.model, window), *_of_alerts(scope, window)]
    return sorted(marks, key=lambda mark: (mark.at, mark.kind, mark.title))[-MOST_MARKS:]


def _of_events(model: str, window: Window) -> Iterator[Mark]:
    events = load_events_between(model, window.start, window.end, kinds=KINDS, limit=MOST_MARKS)
    return (Mark(at=event.at, kind=event.kind.value, title=_title(event)) for event in events)


def _title(event: EventSpec) -> str:
    number = event.number if event.number is not None else event.to_number
    if event.kind is EventKind.ROUTED:
        return f"routes changed by {event.actor}"
    return f"version {number} {_DID[event.kind]} by {event.actor}"


def _of_alerts(scope: Scope, window: Window) -> Iterator[Mark]:
    rows = Transition.objects.filter(
        alert__model=scope.model,
        # Closed alerts are found by their model's index: none opens after its last transition.
        alert__opened_at__lt=window.end,
        to_state__in=list(_FIRED),
        at__gte=window.start,
        at__lt=window.end,
    ).exclude(from_state=F("to_state"))
    if scope.version is not None:
        rows = rows.filter(alert__version=scope.version)
    fields = ("at", "to_state", "alert__kind", "alert__version", "alert_id", "severity")
    for at, state, kind, version, alert, severity in rows.order_by("-at").values_list(*fields)[
        :MOST_MARKS
    ]:
        yield Mark(
            at=at,
            kind=_FIRED[AlertState(state)],
            title=_told(AlertState(state), kind, version, severity),
            alert=alert,
        )


def _told(state: AlertState, kind: str, version: int, severity: str) -> str:
    if state is AlertState.RESOLVED:
        return f"alert of {kind} at version {version} resolved"
    return f"{severity} alert of {kind} at version {version}"
