"""The only writer of monitors: make, change, switch off, delete."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from monitoring.alerting.services import end_source
from monitoring.drift import catalogue
from monitoring.errors import MonitorExists, MonitorNotFound
from monitoring.evaluating.plans import FIELDS, Plan, invalid, parse_plan, show_plan
from monitoring.models import Monitor
from registry import queries as registry

MOST_MONITORS = 50


def create(model: str, given: Mapping[str, Any], *, actor: str, now: datetime) -> Monitor:
    """A new monitor of `model`. A deleted one of the same name makes room for it.

    Raises InvalidMonitor, MonitorExists, ModelNotFound or VersionNotFound.
    """
    plan = parse_plan(given, detectors=catalogue.NAMES)
    _check_target(model, plan)
    try:
        with transaction.atomic():
            if _alive(model).count() >= MOST_MONITORS:
                raise invalid("model", f"has {MOST_MONITORS} monitors already: delete one first")
            Monitor.objects.filter(model=model, name=plan.name).exclude(deleted_at=None).delete()
            row = as_row(model, plan, actor=actor, now=now)
            row.save()
    except IntegrityError:
        raise _exists(model, plan.name) from None
    return row


def change(monitor_id: int, given: Mapping[str, Any], *, actor: str, now: datetime) -> Monitor:
    """Change the fields that are given; raises as `create` does, or MonitorNotFound.

    Switched off, its alerts end, where no other monitor speaks of them.
    """
    try:
        with transaction.atomic():
            row = _locked(monitor_id)
            plan = parse_plan(given, base=plan_of(row), detectors=catalogue.NAMES)
            _check_target(row.model, plan)
            for name, value in show_plan(plan).items():
                setattr(row, name, value)
            row.save(update_fields=list(FIELDS))
            if not row.is_enabled:
                _end_alerts(row, "was switched off", actor, now)
    except IntegrityError:
        raise _exists(row.model, plan.name) from None
    return row


def delete(monitor_id: int, *, actor: str, now: datetime) -> None:
    """Delete a monitor; its evaluations stay. A default is remembered, and does not come back.

    Its alerts end, where no other monitor speaks of them. Raises MonitorNotFound.
    """
    with transaction.atomic():
        row = _locked(monitor_id)
        _end_alerts(row, "was deleted", actor, now)
        if row.is_default:
            row.deleted_at, row.is_enabled = now, False
            row.save(update_fields=["deleted_at", "is_enabled"])
        else:
            row.delete()


def plan_of(row: Monitor) -> Plan:
    """The plan that a row holds."""
    values = {name: getattr(row, name) for name in FIELDS}
    return Plan(**(values | {"detectors": tuple(row.detectors)}))


def as_row(
    model: str, plan: Plan, *, actor: str, now: datetime, is_default: bool = False
) -> Monitor:
    """The row of a plan, not yet saved."""
    return Monitor(
        model=model, created_by=actor, created_at=now, is_default=is_default, **show_plan(plan)
    )


def _end_alerts(row: Monitor, what: str, actor: str, now: datetime) -> None:
    """Nobody would ever say that they are over."""
    reason = f"The monitor {row.name!r} {what}."
    end_source(row.model, source_of(row.pk), reason=reason, now=now, actor=actor)


def _check_target(model: str, plan: Plan) -> None:
    if plan.version is None:
        registry.load_model(model)
    else:
        registry.load_version(model, plan.version)


def source_of(monitor_id: int) -> str:
    """By what name the alerts know a monitor."""
    return f"monitor {monitor_id}"


def _alive(model: str) -> Any:
    return Monitor.objects.filter(model=model, deleted_at=None)


def _locked(monitor_id: int) -> Monitor:
    rows = Monitor.objects.select_for_update(no_key=True)
    row = rows.filter(pk=monitor_id, deleted_at=None).first()
    if row is None:
        raise not_found(monitor_id)
    return row


def not_found(monitor_id: int) -> MonitorNotFound:
    """The error of an id that no monitor has."""
    return MonitorNotFound(
        f"There is no monitor {monitor_id}. GET /api/v1/monitors lists them.",
        details={"monitor": monitor_id},
    )


def _exists(model: str, name: str) -> MonitorExists:
    return MonitorExists(
        f"{model} has a monitor called {name!r}: change that one, or choose another name.",
        details={"model": model, "name": name},
    )
