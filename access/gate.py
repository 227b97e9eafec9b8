"""The door both planes use: which key came, what it may do, whether it asks too often. Pure."""

from collections.abc import Callable

from access.errors import InvalidKey, KeysUnavailable, MissingKey, ScopeMissing
from access.keyring import RETRY_EVERY_S, Due, KeyFacts, KeyRing
from access.ratelimit import Limiter
from access.scopes import EVERY_SCOPE, Scope, has_scope

MAX_HEADER_CHARS = 512
MAX_KEY_CHARS = 128
TICKET_PREFIX = "session."
"""No key begins like this: the part of a key before its first full stop has eight characters."""

ANONYMOUS = KeyFacts(id="anonymous", name="anonymous", scopes=EVERY_SCOPE)
"""Everybody, where keys are switched off: may do all, counted under one shared name."""


ReadTicket = Callable[[str], KeyFacts | None]
"""Gives the facts in a ticket of `access.tickets`, None for one that is not good; never waits."""


def take_key(authorization: str | None, x_api_key: str | None) -> str:
    """Return the key that the two headers carry; a Bearer token goes before X-API-Key.

    Raises MissingKey when there is none and InvalidKey when what came cannot be a key.
    """
    header = (authorization or "")[: MAX_HEADER_CHARS + 1]
    scheme, _, token = header.strip().partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else ""
    key = key or (x_api_key or "")[: MAX_HEADER_CHARS + 1].strip()
    if not key:
        raise _missing(has_other_scheme=bool(scheme) and scheme.lower() != "bearer")
    if len(key) > MAX_KEY_CHARS or not key.isascii():
        raise invalid()
    return key


def invalid() -> InvalidKey:
    """One sentence for every bad key: it must not tell whether a key ever existed."""
    return InvalidKey("the key is unknown, revoked or expired; ask an administrator for a new one")


class Gate:
    """Admits requests by key, scope and rate, in this order: a refused scope is not counted.

    With `is_open` every request is let in as ANONYMOUS, and still counted. The methods never touch
    the network apart from `admit` and `identify`, which may wait for a refresh of the ring, and
    `count`, which may ask a shared limiter (`limiter.is_remote`).
    """

    def __init__(
        self,
        ring: KeyRing,
        limiter: Limiter,
        *,
        is_open: bool = False,
        read_ticket: ReadTicket = lambda ticket: None,
    ) -> None:
        self.ring = ring
        self.limiter = limiter
        self.is_open = is_open
        self._read_ticket = read_ticket

    def admit(self, authorization: str | None, x_api_key: str | None, scope: Scope) -> KeyFacts:
        """Return whose request this is.

        Raises MissingKey, InvalidKey, KeysUnavailable, ScopeMissing or RateLimited.
        """
        facts = self.identify(authorization, x_api_key)
        self.authorize(facts, scope)
        self.count(facts)
        return facts

    def identify(self, authorization: str | None, x_api_key: str | None) -> KeyFacts:
        """Return the facts of the key in the headers, refreshing the ring when that is due."""
        if self.is_open:
            return ANONYMOUS
        key = take_key(authorization, x_api_key)
        if (of_ticket := self.open_ticket(key)) is not None:
            return of_ticket
        facts = self.ring.get(key)
        if self.ring.due(is_known=facts is not None) is not Due.NO:
            self.ring.refresh(is_early=facts is None)
            facts = self.ring.get(key)
        return self.confirm(facts)

    def open_ticket(self, key: str) -> KeyFacts | None:
        """Return the facts in a ticket, None for a key; raises InvalidKey for a bad ticket."""
        if not key.startswith(TICKET_PREFIX):
            return None
        facts = self._read_ticket(key)
        if facts is None:
            raise invalid()
        return facts

    def confirm(self, facts: KeyFacts | None) -> KeyFacts:
        """Return `facts`; raises InvalidKey for None, KeysUnavailable where that is uncertain."""
        if facts is not None:
            return facts
        if self.ring.is_failing:
            raise KeysUnavailable(
                "the key cannot be checked now, because the database does not answer; try again",
                retry_after_s=RETRY_EVERY_S,
            )
        raise invalid()

    def authorize(self, facts: KeyFacts, scope: Scope) -> None:
        """Raise ScopeMissing unless this key may do what asks for `scope`."""
        if not has_scope(facts.scopes, scope):
            held = sorted(facts.scopes)
            raise ScopeMissing(
                f"this needs the scope {scope}; the key has {', '.join(held) or 'none'}",
                details={"needed": str(scope), "held": [str(name) for name in held]},
            )

    def count(self, facts: KeyFacts) -> None:
        """Count one request of this key; raises RateLimited."""
        self.limiter.hit(facts)


def _missing(*, has_other_scheme: bool) -> MissingKey:
    how = "send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
    if has_other_scheme:
        return MissingKey(f"the Authorization header is not of the form 'Bearer <key>'; {how}")
    return MissingKey(f"no key came with the request; {how}")
