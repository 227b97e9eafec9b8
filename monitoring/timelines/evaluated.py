"""What monitors said over time: drift against its limits, and estimates of accuracy.

A year of evaluations is thinned by the database first, by an index alone; details are read only of
those that are shown.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Max

from monitoring.evaluating.options import DriftOptions
from monitoring.models import Evaluation, Monitor, MonitorKind
from monitoring.quality.report import UNDEFINED, Estimate
from monitoring.rollups import Scope
from monitoring.timelines.places import StepOf
from monitoring.timelines.points import choose_shown
from monitoring.timelines.specs import DriftLine, DriftPoint
from monitoring.timelines.steps import Steps, cover
from monitoring.verdicts import Verdict

MOST_POINTS = 300
MOST_READ = 1200
METHOD = "cbpe"
_FLOOR = DriftOptions().floor


def load_drift(scope: Scope, steps: Steps) -> list[DriftLine]:
    """A line for each monitor and family of detectors, of at most 300 points.

    Where there are more evaluations, the worst of each stretch of time stay. Those of deleted
    monitors, and of whole models where `scope` is a segment, are left out.
    """
    if scope.segment is not None:
        return []
    rows = Monitor.objects.filter(model=scope.model, kind=MonitorKind.DRIFT)
    fields = rows.values_list("id", "name", "options")
    monitors = {pk: (name, options) for pk, name, options in fields}
    if not monitors:
        return []
    most = min(MOST_POINTS, MOST_READ // len(monitors))
    found = _details(_choose(scope, steps, monitors, most))
    lines: defaultdict[tuple[int, str], list[DriftPoint]] = defaultdict(list)
    for monitor, at, details in found:
        for family, said in (details.get("families") or {}).items():
            lines[monitor, family].append(_point(at, said))
    return [
        DriftLine(
            monitor=monitors[monitor][0],
            family=family,
            floor=float(monitors[monitor][1].get("floor", _FLOOR)),
            points=points,
        )
        for (monitor, family), points in sorted(
            lines.items(), key=lambda line: (monitors[line[0][0]][0], line[0][1])
        )
    ]


def load_estimates(scope: Scope, steps: Steps, version: int | None) -> list[Estimate] | None:
    """The last estimate of `version`'s accuracy in each step; None where there is none at all."""
    if version is None or scope.segment is not None:
        return None
    rows = _evaluations(scope, steps, MonitorKind.ESTIMATE).filter(version=version)
    last = (
        rows.exclude(verdict=Verdict.INSUFFICIENT_DATA)
        .annotate(step=StepOf("at", steps=steps))
        .values("step")
        .annotate(last=Max("id"))
        .values_list("last", flat=True)
    )
    found: list[Estimate] = [UNDEFINED] * steps.n
    for _, at, details in _details(list(last)):
        low, value, high = (details.get("accuracy") or {}).get(METHOD) or (None, None, None)
        found[steps.place(at)] = Estimate(value, low, high)
    return found if any(each.value is not None for each in found) else None


def _evaluations(scope: Scope, steps: Steps, kind: MonitorKind) -> Any:
    rows = Evaluation.objects.filter(
        model=scope.model, kind=kind, at__gte=steps.window.start, at__lt=steps.window.end
    ).order_by()
    return rows if scope.version is None else rows.filter(version=scope.version)


def _choose(scope: Scope, steps: Steps, monitors: Mapping[int, Any], most: int) -> list[int]:
    """The ids of the evaluations to show: all, or where they are too many the worst."""
    rows = _evaluations(scope, steps, MonitorKind.DRIFT).filter(monitor__in=list(monitors))
    few = list(rows.values_list("id", flat=True)[: most + 1])
    if len(few) <= most:
        return few
    stretches = cover(steps.window, n=most)
    grouped = (
        rows.annotate(stretch=StepOf("at", steps=stretches))
        .values("monitor", "stretch", "verdict")
        .annotate(last=Max("id"))
    )
    return choose_shown(grouped.values_list("monitor", "stretch", "verdict", "last"))


def _details(ids: Collection[int]) -> list[tuple[int, datetime, Mapping[str, Any]]]:
    """(monitor, at, details) of evaluations, in order."""
    rows = Evaluation.objects.filter(id__in=list(ids)).order_by("at", "id")
    return list(rows.values_list("monitor", "at", "details"))


def _point(at: datetime, said: Mapping[str, Any]) -> DriftPoint:
    return DriftPoint(
        at=at,
        detector=said.get("detector"),
        effect=said.get("effect"),
        p_value=said.get("p_value"),
        alpha=said.get("alpha"),
        verdict=said["verdict"],
    )
