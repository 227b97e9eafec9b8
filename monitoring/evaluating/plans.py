"""What makes up a monitor: its fields, their bounds and their defaults by kind. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from monitoring.errors import InvalidMonitor
from monitoring.evaluating.options import KINDS, parse_options

BY_COUNT, BY_TIME = "count", "time"
HOUR_S, DAY_S = 3600, 86_400
# Others are asked of a stretch of time: a rate, or labels, which do not come with the predictions.
COUNTABLE = frozenset({"drift", "estimate"})
# Nothing to ask of these without a new prediction. The others also miss what did not come.
NEED_TRAFFIC = frozenset({"drift", "estimate", "latency"})
MOST_DETECTORS = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9._ -]{0,79}")
# Windows by count are read from blocks, of which so many predictions are kept.
_WINDOWS = {BY_COUNT: (50, 10_000), BY_TIME: (300, 90 * DAY_S)}
# Traffic is looked at by minutes, of which a report has 1,500 at most; feedback by hours.
_NARROWER = {"traffic": (960, DAY_S), "feedback": (HOUR_S, 14 * DAY_S)}
_NUMBERS = {
    "every_s": (0, 7 * DAY_S),
    "every_n": (0, 1_000_000),
    "fires_after": (1, 100),
    "resolves_after": (1, 100),
    "cooldown_s": (0, 30 * DAY_S),
}
_FLAGS = ("is_enabled",)
_FIXED = ("kind",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A monitor without its model: see `monitoring.models.Monitor` for the fields."""

    name: str
    kind: str
    version: int | None = None
    detectors: tuple[str, ...] = ()
    window_by: str = BY_TIME
    window: int = DAY_S
    options: Mapping[str, float] = field(default_factory=dict)
    every_s: int = 300
    every_n: int = 0
    fires_after: int = 2
    resolves_after: int = 2
    cooldown_s: int = HOUR_S
    is_enabled: bool = True


FIELDS = tuple(each.name for each in fields(Plan))


def parse_plan(
    given: Mapping[str, Any], *, base: Plan | None = None, detectors: Collection[str] = ()
) -> Plan:
    """The plan that `given` makes, or makes of `base`; `detectors` are the names there are.

    Raises InvalidMonitor, naming the field and the remedy.
    """
    for name in given:
        if name not in FIELDS:
            raise invalid(str(name)[:40], f"is unknown; known are {', '.join(FIELDS)}")
    changed = dict(given)
    if base is None:
        base = Plan(
            name=_name(given.get("name")), kind=_choice("kind", given.get("kind"), tuple(KINDS))
        )
    for name in _FIXED:
        if name in changed and changed[name] != getattr(base, name):
            raise invalid(name, "cannot be changed: delete the monitor and create another")
    if "detectors" in changed:
        changed["detectors"] = _detectors(changed["detectors"], detectors)
    plan = replace(base, **changed)
    _check(plan)
    return plan


def show_plan(plan: Plan) -> dict[str, Any]:
    """The plan's fields as JSON."""
    return asdict(plan) | {"detectors": list(plan.detectors), "options": dict(plan.options)}


def invalid(name: str, remedy: str) -> InvalidMonitor:
    """The error that names a field and says how to mend it."""
    return InvalidMonitor(f"{name!r} {remedy}.", details={"field": name})


def _check(plan: Plan) -> None:
    _name(plan.name)
    _choice("window_by", plan.window_by, (BY_COUNT, BY_TIME))
    if plan.window_by == BY_COUNT and plan.kind not in COUNTABLE:
        raise invalid("window_by", f"must be {BY_TIME!r} for a monitor of {plan.kind}")
    _number("window", plan.window, *_NARROWER.get(plan.kind, _WINDOWS[plan.window_by]))
    for name, bounds in _NUMBERS.items():
        _number(name, getattr(plan, name), *bounds)
    if not plan.every_s and not plan.every_n:
        raise invalid("every_s", "must be above 0 where 'every_n' is 0: it would never be due")
    if plan.version is not None:
        _number("version", plan.version, 1, 2**31 - 1)
    if plan.detectors and plan.kind != "drift":
        raise invalid("detectors", "are for monitors of drift only: leave them out")
    for name in _FLAGS:
        if not isinstance(getattr(plan, name), bool):
            raise invalid(name, "must be true or false")
    parse_options(plan.kind, plan.options)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise invalid(
            "name", "must be 1 to 80 small letters, digits, spaces and . _ -, a letter first"
        )
    return value


def _choice(name: str, value: object, choices: Collection[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise invalid(name, f"must be one of {', '.join(choices)}")
    return value


def _number(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise invalid(name, f"must be a whole number from {low} to {high}")


def _detectors(value: object, known: Collection[str]) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_DETECTORS:
        raise invalid("detectors", f"must be a list of at most {MOST_DETECTORS} names")
    for name in value:
        if not isinstance(name, str) or name not in known:
            raise invalid("detectors", f"knows no {name!r:.60}; known are {', '.join(known)}")
    return tuple(dict.fromkeys(value))
