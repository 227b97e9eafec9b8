"""Which version answers: a sticky share of the live routes. Pure."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

BUCKETS = 10_000


class Weighted(Protocol):
    @property
    def weight(self) -> int: ...


R = TypeVar("R", bound=Weighted)


@dataclass(frozen=True, slots=True)
class Steering:
    """What a request says about who shall answer it.

    `route_key` (not empty) stands for the caller instead of its API key; `pin` is the number of the
    one version that may answer.
    """

    route_key: str = ""
    pin: int | None = None


UNSTEERED = Steering()


def bucket(key: str, salt: str) -> int:
    """Return where `key` falls in [0, BUCKETS): always the same place under one `salt`, spread
    evenly, and not to be guessed without the salt.
    """
    digest = hmac.digest(salt.encode(), key.encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:8]) % BUCKETS


def choose(routes: Sequence[R], place: int) -> R:
    """Return the route whose share of the total weight covers `place` in [0, BUCKETS).

    Shares lie in the order given, the stable route first. So nobody returns to it while its weight
    only falls; and where the first canary takes its weight from the stable route, or gives it back,
    nobody else moves. A later canary that grows also pushes callers from one canary to the next.
    Raises ValueError when no route has weight.
    """
    total = 0
    for route in routes:
        total += route.weight
    if total <= 0:
        raise ValueError("no live route has weight")
    place *= total
    edge = 0
    for route in routes:
        edge += route.weight * BUCKETS
        if place < edge:
            return route
    raise ValueError(f"a place lies below {BUCKETS}")
