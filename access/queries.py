"""The only readers of keys that other modules call."""

import re
from collections.abc import Collection

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from access.errors import InvalidKeyFields
from access.keyring import KeyFacts, Keys
from access.models import ApiKey
from access.ratelimit import parse_rate
from access.scopes import EVERY_SCOPE, Scope

_HASHED = "sha512$$"
_DIGEST = re.compile(r"sha512\$\$[0-9a-f]{128}")


def load_usable_keys() -> Keys:
    """Read every key that is not revoked or expired and whose owner, if any, is an active account.

    One query, some microseconds a key. Meant for a KeyRing: leaves no connection open on a thread
    that had none.
    """
    had_connection = connection.connection is not None
    try:
        return _usable()
    finally:
        if not had_connection and not connection.in_atomic_block:
            connection.close()


def _usable() -> Keys:
    rows = ApiKey.objects.filter(
        Q(expiry_date=None) | Q(expiry_date__gt=timezone.now()),
        Q(owner=None) | Q(owner__is_active=True),
        revoked=False,
        hashed_key__startswith=_HASHED,
    ).order_by()
    # Not as objects: an abstract key's constructor reads a column and costs more than its row.
    names = ("hashed_key", "prefix", "name", "scopes", "rate", "expiry_date", "owner_id")
    return {
        bytes.fromhex(hashed.removeprefix(_HASHED)): KeyFacts(
            id=prefix,
            name=name,
            scopes=_known(scopes),
            rate=_usable_rate(rate),
            expires_at=expires_at.timestamp() if expires_at else None,
            owner_id=owner_id,
        )
        for hashed, prefix, name, scopes, rate, expires_at, owner_id in rows.values_list(*names)
        if _DIGEST.fullmatch(hashed)
    }


# What only a hand in the database can have written must cost its own key, never all of them.


def _known(scopes: object) -> frozenset[Scope]:
    names = scopes if isinstance(scopes, list) else []
    return frozenset(Scope(name) for name in names if isinstance(name, str) and name in EVERY_SCOPE)


def _usable_rate(rate: str) -> str | None:
    try:
        parse_rate(rate)
    except InvalidKeyFields:
        return None
    return rate


def load_names(ids: Collection[str]) -> dict[str, str]:
    """What people call the keys and accounts with these ids (`user:3` is an account's session)."""
    accounts = {id.removeprefix("user:"): id for id in ids if id.startswith("user:")}
    users = get_user_model()._default_manager.filter(pk__in=[pk for pk in accounts if pk.isdigit()])
    found = {f"user:{user.pk}": user.get_username() for user in users} if accounts else {}
    if prefixes := [id for id in ids if id and id not in accounts.values()]:
        found |= dict(ApiKey.objects.filter(prefix__in=prefixes).values_list("prefix", "name"))
    return found
