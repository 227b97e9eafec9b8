"""What the tests of this folder share: a clock, a database of keys in a dictionary, an edge."""

from rest_framework.response import Response

from access.errors import BellwetherError
from access.gate import Gate
from access.keyring import KeyFacts, KeyRing, Keys, digest_of
from access.ratelimit import Limiter, make_limiter
from access.scopes import Scope


class Clock:
    """Time that moves when it is told to; callable, and in the shape of the time module."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Shelf:
    """Where a KeyRing loads from; `is_down` makes it fail as a database would."""

    def __init__(self, **keys: KeyFacts) -> None:
        self.keys = {digest_of(name): facts for name, facts in keys.items()}
        self.is_down = False
        self.n_loads = 0

    def __call__(self) -> Keys:
        self.n_loads += 1
        if self.is_down:
            raise ConnectionError("no database there")
        return dict(self.keys)

    def put(self, plaintext: str, facts: KeyFacts) -> None:
        self.keys[digest_of(plaintext)] = facts

    def remove(self, plaintext: str) -> None:
        del self.keys[digest_of(plaintext)]


def facts(
    name: str, *scopes: Scope, rate: str | None = None, expires_at: float | None = None
) -> KeyFacts:
    return KeyFacts(id=name, name=name, scopes=frozenset(scopes), rate=rate, expires_at=expires_at)


def gate_over(
    shelf: Shelf, clock: Clock, *, limiter: Limiter | None = None, is_open: bool = False
) -> Gate:
    ring = KeyRing(shelf, clock=clock, now=clock)
    return Gate(ring, limiter or make_limiter("1000/second"), is_open=is_open)


def handle(error: Exception, context: object) -> Response | None:
    """An edge that keeps the code and the message, and answers 418 for every one of our errors."""
    if not isinstance(error, BellwetherError):
        from rest_framework.views import exception_handler

        return exception_handler(error, {})
    body = {"code": error.code, "message": error.message, "details": error.details}
    return Response(body, status=418)
