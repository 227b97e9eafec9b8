"""Which routes a model may have, and how one set becomes the next (pure).

The first live route is the stable one; further live ones are canaries. A shadow sees copies of
`weight` percent of the live traffic and never answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from registry.errors import InvalidRoutes
from registry.specs import RouteMode

MAX_LIVE = 4
MAX_SHADOWS = 2
MAX_NUMBER = 2**31 - 1
WHOLE = 100


@dataclass(frozen=True, slots=True)
class WantedRoute:
    """A share of a model's traffic for one of its versions, `weight` in percent."""

    version: int
    mode: RouteMode = RouteMode.LIVE
    weight: int = WHOLE

    def as_json(self) -> dict[str, Any]:
        """The route as events and the API name it."""
        return {"version": self.version, "mode": self.mode.value, "weight": self.weight}


Routes = tuple[WantedRoute, ...]


def check_routes(wanted: Sequence[WantedRoute]) -> Routes:
    """`wanted`, live ones first in the order given; raises InvalidRoutes naming the place.

    Live weights are whole percents from 1 that sum to 100; a shadow's is 1 to 100. A version has
    one route at most.

    >>> canary = WantedRoute(2, RouteMode.LIVE, 5)
    >>> [route.version for route in check_routes([WantedRoute(1, RouteMode.LIVE, 95), canary])]
    [1, 2]
    """
    for index, route in enumerate(wanted):
        _check_route(route, f"routes[{index}]")
    numbers = [route.version for route in wanted]
    if twice := next((n for n in numbers if numbers.count(n) > 1), None):
        raise _invalid("routes", f"version {twice} is named twice; it can have one route")
    live = live_of(wanted)
    shadows = tuple(route for route in wanted if route.mode is RouteMode.SHADOW)
    if not 1 <= len(live) <= MAX_LIVE or len(shadows) > MAX_SHADOWS:
        raise _invalid(
            "routes",
            f"a model has 1 to {MAX_LIVE} live routes and at most {MAX_SHADOWS} shadows, "
            f"not {len(live)} and {len(shadows)}",
        )
    total = sum(route.weight for route in live)
    if total != WHOLE:
        raise _invalid("routes", f"the weights of live routes must sum to {WHOLE}, not {total}")
    return live + shadows


def live_of(routes: Sequence[WantedRoute]) -> Routes:
    """The routes that answer, the stable one first."""
    return tuple(route for route in routes if route.mode is RouteMode.LIVE)


def with_live_alone(current: Sequence[WantedRoute], number: int) -> Routes:
    """Version `number` answers everything; shadows of other versions stay."""
    shadows = (r for r in current if r.mode is RouteMode.SHADOW and r.version != number)
    return (WantedRoute(number), *shadows)


def with_canary(current: Sequence[WantedRoute], number: int, weight: int) -> Routes:
    """Version `number` gets `weight` percent from the stable route's share, or gives it back.

    Raises InvalidRoutes where there is no stable route, where `number` is it, or where the other
    canaries leave it less than 1 percent.
    """
    stable = _stable(current, number)
    others = tuple(r for r in live_of(current)[1:] if r.version != number)
    rest = WHOLE - weight - sum(route.weight for route in others)
    if rest < 1:
        raise _invalid("weight", "the stable version must keep at least 1 percent; promote instead")
    shadows = (r for r in current if r.mode is RouteMode.SHADOW and r.version != number)
    known = live_of(current)
    at = next((i for i, route in enumerate(known[1:]) if route.version == number), len(others))
    canaries = (*others[:at], WantedRoute(number, RouteMode.LIVE, weight), *others[at:])
    return check_routes((replace(stable, weight=rest), *canaries, *shadows))


def with_shadow(current: Sequence[WantedRoute], number: int, percent: int) -> Routes:
    """Version `number` sees copies of `percent` of the live traffic; if it was a canary, its share
    goes back to the stable route. Raises InvalidRoutes as `with_canary` does.
    """
    _stable(current, number)
    rest = without(current, number) if _is_routed(current, number) else tuple(current)
    return check_routes((*rest, WantedRoute(number, RouteMode.SHADOW, percent)))


def without(current: Sequence[WantedRoute], number: int) -> Routes:
    """Version `number` has no route any more; a canary's share goes back to the stable route.

    Raises InvalidRoutes where `number` is the stable version or has no route.
    """
    stable = _stable(current, number)
    if not _is_routed(current, number):
        raise _invalid("version", f"version {number} has no route to take away")
    rest = [r for r in current if r.version not in (number, stable.version)]
    weight = WHOLE - sum(r.weight for r in rest if r.mode is RouteMode.LIVE)
    return (replace(stable, weight=weight), *rest)


def _stable(current: Sequence[WantedRoute], number: int) -> WantedRoute:
    live = live_of(current)
    if not live:
        raise _invalid("version", "no version answers yet: promote one first")
    if live[0].version == number:
        raise _invalid("version", f"version {number} is the stable one: promote another first")
    return live[0]


def _is_routed(current: Sequence[WantedRoute], number: int) -> bool:
    return any(route.version == number for route in current)


def _check_route(route: WantedRoute, field: str) -> None:
    if not 1 <= route.version <= MAX_NUMBER:
        raise _invalid(f"{field}.version", "must be a version number: 1, 2, 3 …")
    if not 1 <= route.weight <= WHOLE:
        raise _invalid(f"{field}.weight", f"must be a whole percent from 1 to {WHOLE}")


def _invalid(field: str, remedy: str) -> InvalidRoutes:
    return InvalidRoutes(f"{field}: {remedy}", details={"field": field})
