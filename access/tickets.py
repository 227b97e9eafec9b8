"""Tickets: short-lived keys for the browser of somebody who is signed in.

The inference plane knows keys, not sessions. A ticket carries who asks, what for and until when,
under Django's signature, so both planes can read it without the database. It is none of the
account's keys: it never allows more than asking, reading and giving feedback.

    session.<account>.<scopes>.<end>.<name>:<signature>
"""

import base64
import binascii
import time
from collections.abc import Callable

from django.core.signing import BadSignature, Signer

from access.gate import TICKET_PREFIX
from access.keyring import KeyFacts
from access.scopes import Scope

LIFE_S = 300
"""A ticket outlives a sign-out, or a role that is taken away, by this at most."""
ALLOWED = (Scope.PREDICT, Scope.FEEDBACK, Scope.READ)
"""What a ticket can allow; the places are digits in it."""
MAX_NAME_BYTES = 30
_SALT = "access.tickets"

Now = Callable[[], float]


def make_ticket(account: int, name: str, scopes: frozenset[Scope], *, now: Now = time.time) -> str:
    """Return a ticket for an account, with those of its `scopes` that a ticket can carry.

    Of a long `name` the beginning is kept.
    """
    held = sum(1 << place for place, scope in enumerate(ALLOWED) if scope in scopes)
    end = int(now()) + LIFE_S
    return TICKET_PREFIX + _signer().sign(f"{account}.{held}.{end}.{_pack(name)}")


def read_ticket(ticket: str, *, now: Now = time.time) -> KeyFacts | None:
    """Return the facts in a ticket; None where it was not made here, was changed or has ended."""
    try:
        value = _signer().unsign(ticket.removeprefix(TICKET_PREFIX))
        account, held, end, name = value.split(".")
        expires_at, owner = int(end), int(account)
        if expires_at <= now():
            return None
        scopes = (scope for place, scope in enumerate(ALLOWED) if int(held) >> place & 1)
        return KeyFacts(
            id=f"user:{owner}",
            name=_unpack(name),
            scopes=frozenset(scopes),
            expires_at=float(expires_at),
            owner_id=owner,
            may_pin=True,
        )
    except (BadSignature, ValueError, binascii.Error):
        return None


def _signer() -> Signer:
    return Signer(salt=_SALT)


def _pack(name: str) -> str:
    short = name.encode()[:MAX_NAME_BYTES].decode(errors="ignore").encode()
    return base64.urlsafe_b64encode(short).decode().rstrip("=")


def _unpack(packed: str) -> str:
    return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
