"""Which version answers: a sticky share of the live routes. Pure."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar


class Weighted(Protocol):
    @property
    def weight(self) -> int: ...


R = TypeVar("R", bound=Weighted)


def bucket(key: str, salt: str) -> float:
    """Return where `key` falls in [0, 1): always the same place under one `salt`, spread evenly."""
    digest = blake2b(
        key.encode("utf-8", "surrogatepass"), key=salt.encode()[:64], digest_size=8
    ).digest()
    return int.from_bytes(digest) / 2**64


def choose(routes: Sequence[R], place: float) -> R:
    """Return the route whose share of the total weight covers `place` in [0, 1).

    Shares lie in the order given: a key keeps its route while the routes before it stay the same.
    Raises ValueError when no route has weight.
    """
    total = sum(route.weight for route in routes)
    if total <= 0:
        raise ValueError("no live route has weight")
    edge = 0.0
    for route in routes:
        edge += route.weight / total
        if place < edge:
            return route
    return next(route for route in reversed(routes) if route.weight > 0)
