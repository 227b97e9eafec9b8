"""Routes as pages write and read them: roles, what changes, and the rows of the editor. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registry.errors import InvalidRoutes
from registry.routes import MAX_NUMBER, WHOLE, Routes, WantedRoute, check_routes, live_of
from registry.specs import RouteMode, RouteSpec

NONE = "none"
MODES = (NONE, RouteMode.LIVE.value, RouteMode.SHADOW.value)
MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Share:
    """A version's route as people call it: `role` is stable, canary or shadow."""

    version: int
    role: str
    weight: int

    def __str__(self) -> str:
        return f"{self.role} {self.weight} %"


@dataclass(frozen=True, slots=True)
class RouteChange:
    """What a version's route is and would be; None for no route."""

    version: int
    before: Share | None
    after: Share | None

    @property
    def is_change(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class EditorRow:
    """A version in the editor of routes: its `mode` is none, live or shadow."""

    version: int
    mode: str
    weight: str
    is_stable: bool


def name_shares(routes: Iterable[WantedRoute]) -> tuple[Share, ...]:
    """Routes with their roles; the first live one is the stable.

    >>> [str(share) for share in name_shares([WantedRoute(1, weight=95), WantedRoute(2, weight=5)])]
    ['stable 95 %', 'canary 5 %']
    """
    known = tuple(routes)
    live = [
        Share(route.version, "canary" if at else "stable", route.weight)
        for at, route in enumerate(live_of(known))
    ]
    shadows = (route for route in known if route.mode is RouteMode.SHADOW)
    return (*live, *(Share(route.version, "shadow", route.weight) for route in shadows))


def as_wanted(routes: Iterable[RouteSpec]) -> Routes:
    """The registry's specs as routes to have."""
    return tuple(WantedRoute(each.version.number, each.mode, each.weight) for each in routes)


def changes_between(before: Routes, after: Routes) -> tuple[RouteChange, ...]:
    """Each version that has a route in one of the two, in the order of the numbers."""
    one = {share.version: share for share in name_shares(before)}
    other = {share.version: share for share in name_shares(after)}
    return tuple(
        RouteChange(number, one.get(number), other.get(number)) for number in sorted({*one, *other})
    )


def editor_rows(numbers: Iterable[int], routes: Routes) -> tuple[EditorRow, ...]:
    """A row for each version that has a route, then for the others of `numbers`."""
    routed = {route.version: route for route in routes}
    live = live_of(routes)
    stable = live[0].version if live else None
    rows = [
        EditorRow(each.version, each.mode.value, str(each.weight), each.version == stable)
        for each in routes
    ]
    rows += [EditorRow(number, NONE, "", False) for number in numbers if number not in routed]
    return tuple(rows)


def read_editor(fields: Mapping[str, str]) -> tuple[EditorRow, ...]:
    """The rows that came back: `mode-3=live`, `weight-3=90`, `stable=3`."""
    numbers = [name.removeprefix("mode-") for name in fields if name.startswith("mode-")]
    return tuple(
        EditorRow(
            int(number),
            fields[f"mode-{number}"] if fields[f"mode-{number}"] in MODES else NONE,
            fields.get(f"weight-{number}", "").strip()[:MOST_DIGITS],
            fields.get("stable") == number,
        )
        for number in numbers
        if _is_number(number)
    )


def routes_of(rows: Iterable[EditorRow]) -> Routes:
    """The routes that the editor's rows ask for; raises InvalidRoutes.

    The stable version comes first; without a choice it is the first that is live.
    """
    chosen = [row for row in rows if row.mode != NONE]
    live = [row for row in chosen if row.mode == RouteMode.LIVE.value]
    live.sort(key=lambda row: not row.is_stable)
    if any(row.is_stable for row in chosen) and not (live and live[0].is_stable):
        raise _invalid("stable", "the stable version must be live")
    shadows = [row for row in chosen if row.mode == RouteMode.SHADOW.value]
    return check_routes([_wanted(row) for row in (*live, *shadows)])


def to_text(routes: Routes) -> str:
    """The routes in a hidden field."""
    return json.dumps([route.as_json() for route in routes])


def from_text(text: str) -> Routes:
    """What `to_text` wrote; raises InvalidRoutes."""
    try:
        found = [
            WantedRoute(int(each["version"]), RouteMode(each["mode"]), int(each["weight"]))
            for each in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise _invalid("routes", "cannot be read: choose them again") from error
    return check_routes(found)


def sum_of(rows: Iterable[EditorRow]) -> int:
    """The percents of the live rows together."""
    live = (row for row in rows if row.mode == RouteMode.LIVE.value)
    return sum(int(row.weight) for row in live if _is_number(row.weight))


def _wanted(row: EditorRow) -> WantedRoute:
    if not _is_number(row.weight):
        raise _invalid(
            f"version {row.version}", f"its weight must be a whole percent from 1 to {WHOLE}"
        )
    return WantedRoute(row.version, RouteMode(row.mode), int(row.weight))


def _is_number(text: str) -> bool:
    return (
        text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and int(text) <= MAX_NUMBER
    )


def _invalid(field: str, remedy: str) -> InvalidRoutes:
    return InvalidRoutes(f"{field}: {remedy}", details={"field": field})
