"""How many labels of a model are asked for, and the rate of draws that follows from its traffic."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, Sum

from monitoring.errors import InvalidAuditPlan
from monitoring.labelling.drawing import LARGEST_SHARE, Rates, rate, uncertainty
from monitoring.models import AuditPlan, Prediction, PredictionCount, RouteKind
from monitoring.windows import Grain, floor

MOST_PER_HOUR = 1000
RATED_EVERY = timedelta(minutes=5)
# Long enough to be steady, short enough to follow the hour of the day.
_LONG, _SHORT = timedelta(hours=1), timedelta(minutes=5)
# Before a model's traffic is known, and where there is hardly any: a burst must not be drawn whole.
FIRST_GUESS, FEWEST_PER_HOUR = 1000, 50
# Twice what the rate was made for: it is made anew before its time.
_SURPRISE = 2.0
_SAMPLED = 200
_CACHED_S = 5.0
_MOST_CACHED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`per_hour` labels are asked for; `is_default` where the setting says how many."""

    model: str
    per_hour: int
    is_default: bool
    rates: Rates
    rated_at: datetime | None


@dataclass(slots=True)
class _Cached:
    plan: Plan
    until_s: float
    n_seen: int = 0


_plans: dict[str, _Cached] = {}


def forget_plans() -> None:
    """Read every plan anew when it is next needed."""
    _plans.clear()


def load_plan(model: str) -> Plan:
    """The plan of `model`; one without a row has the settings' defaults."""
    row = AuditPlan.objects.filter(model=model).first()
    return _plan(row or AuditPlan(model=model, rate=_first_rate(_default())))


def load_plans(models: Collection[str]) -> dict[str, Plan]:
    """`load_plan` of many models, in one query."""
    rows = AuditPlan.objects.in_bulk(list(models))
    first = _first_rate(_default())
    return {name: _plan(rows.get(name) or AuditPlan(model=name, rate=first)) for name in models}


def change_plan(model: str, changes: dict[str, object]) -> Plan:
    """Change `per_hour` (None: as the setting says) or `uncertain_share`. Raises InvalidAuditPlan.

    The rate is made anew with the next predictions.
    """
    checked = _checked(changes)
    AuditPlan.objects.update_or_create(model=model, defaults=checked | {"rated_at": None})
    _plans.pop(model, None)
    return load_plan(model)


def take_plan(model: str, n: int, *, now: datetime) -> Plan:
    """The plan by which the next `n` predictions are drawn, its rate made anew where it is due.

    Reads the database every five seconds at most, unless the rate is made anew: every five
    minutes, or when far more predictions come than it was made for.
    """
    cached = _plans.get(model)
    if cached is None or time.monotonic() >= cached.until_s:
        cached = _cached(load_plan(model), cached)
    if _is_due(cached, now):
        cached = _cached(_rate_again(cached.plan, now=now), None)
    cached.n_seen += n
    return cached.plan


def _cached(plan: Plan, before: _Cached | None) -> _Cached:
    if len(_plans) >= _MOST_CACHED:
        _plans.clear()
    is_same = before is not None and before.plan.rated_at == plan.rated_at
    n_seen = before.n_seen if before is not None and is_same else 0
    _plans[plan.model] = _Cached(plan, time.monotonic() + _CACHED_S, n_seen)
    return _plans[plan.model]


def _is_due(cached: _Cached, now: datetime) -> bool:
    plan = cached.plan
    if not plan.per_hour:
        return False
    if plan.rated_at is None or abs(now - plan.rated_at) >= RATED_EVERY:
        return True
    expected = plan.per_hour / max(plan.rates.rate, 1e-9) * (RATED_EVERY / _LONG)
    return cached.n_seen > _SURPRISE * max(expected, FEWEST_PER_HOUR)


def _rate_again(plan: Plan, *, now: datetime) -> Plan:
    is_first = plan.rated_at is None
    n_per_hour = max(_traffic(plan.model, now), FIRST_GUESS if is_first else FEWEST_PER_HOUR)
    values = {
        "rate": rate(plan.per_hour, n_per_hour),
        "mean_uncertainty": _mean_uncertainty(plan.model),
        "rated_at": now,
    }
    AuditPlan.objects.bulk_create([AuditPlan(model=plan.model)], ignore_conflicts=True)
    # Of two writers one rates, and the other reads what it found.
    is_unrated = Q(rated_at=plan.rated_at) | Q(rated_at=None)
    AuditPlan.objects.filter(is_unrated, model=plan.model).update(**values)
    return load_plan(plan.model)


def _traffic(model: str, now: datetime) -> float:
    """Predictions an hour: the past hour's, or the past minutes' where they are busier."""
    minutes = PredictionCount.objects.filter(model=model, grain=Grain.MINUTE)
    totals = [
        (
            minutes.filter(bucket__gte=floor(now - span, Grain.MINUTE)).aggregate(n=Sum("n"))["n"],
            span,
        )
        for span in (_LONG, _SHORT)
    ]
    return max((n or 0) * (_LONG / span) for n, span in totals)


def _mean_uncertainty(model: str) -> float:
    newest = Prediction.objects.filter(model=model, route=RouteKind.LIVE).order_by("-id")
    found = [
        uncertainty(score, len(scores))
        for score, scores in newest.values_list("score", "scores")[:_SAMPLED]
    ]
    return sum(found) / len(found) if found else AuditPlan().mean_uncertainty


def _plan(row: AuditPlan) -> Plan:
    return Plan(
        model=row.model,
        per_hour=_default() if row.per_hour is None else row.per_hour,
        is_default=row.per_hour is None,
        rates=Rates(
            rate=row.rate,
            uncertain_share=row.uncertain_share,
            mean_uncertainty=row.mean_uncertainty,
        ),
        rated_at=row.rated_at,
    )


def _default() -> int:
    return int(settings.BELLWETHER_AUDIT_PER_HOUR)


def _first_rate(per_hour: int) -> float:
    return rate(per_hour, FIRST_GUESS)


def _checked(changes: dict[str, object]) -> dict[str, object]:
    for name in changes:
        if name not in ("per_hour", "uncertain_share"):
            raise _invalid(name[:50], "is unknown; the fields are per_hour, uncertain_share")
    if not changes:
        raise _invalid("per_hour", "or uncertain_share must be given")
    per_hour, share = changes.get("per_hour"), changes.get("uncertain_share", 0.0)
    if per_hour is not None and not (type(per_hour) is int and 0 <= per_hour <= MOST_PER_HOUR):
        raise _invalid(
            "per_hour", f"must be a whole number from 0 to {MOST_PER_HOUR}, or null for the default"
        )
    if type(share) not in (int, float) or not 0 <= float(str(share)) <= LARGEST_SHARE:
        raise _invalid("uncertain_share", f"must be a number from 0 to {LARGEST_SHARE}")
    return changes


def _invalid(field: str, remedy: str) -> InvalidAuditPlan:
    return InvalidAuditPlan(f"{field!r} {remedy}.", details={"field": field})
