"""The public keys whose signatures count, and the models that ask for a signature."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from registry.errors import (
    InvalidField,
    SignatureRequired,
    TrustedKeyExists,
    TrustedKeyNotFound,
)
from registry.models import RegisteredModel, Route, TrustedKey, Version
from registry.services.common import add_event, check_actor, check_text, lock_model
from registry.services.signing import is_signed
from registry.signatures import parse_public_key
from registry.specs import EventKind

MAX_KEY_NAME_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKeySpec:
    """A public key whose signatures count: for `model`, or for every model if None."""

    name: str
    fingerprint: str
    pem: str
    model: str | None
    added_by: str
    created_at: datetime


def load_trusted_keys() -> tuple[TrustedKeySpec, ...]:
    """Every trusted key by name."""
    return tuple(map(_key_spec, TrustedKey.objects.select_related("model").order_by("name")))


@transaction.atomic
def trust_key(name: str, pem: str, *, model: str | None = None, actor: str) -> TrustedKeySpec:
    """Let signatures by a public key count, for one model or for all.

    Raises InvalidPublicKey, InvalidField, TrustedKeyExists, ModelNotFound, SigningUnavailable.
    """
    actor, name = check_actor(actor), check_text("name", name, limit=MAX_KEY_NAME_CHARS)
    if not name:
        raise InvalidField("name must say whose key it is", details={"field": "name"})
    public = parse_public_key(pem)
    row = lock_model(model) if model else None
    same = TrustedKey.objects.filter(Q(name=name) | Q(fingerprint=public.fingerprint)).first()
    if same:
        raise TrustedKeyExists(
            f"{same.name} ({same.fingerprint[:12]}) is trusted already: remove it first",
            details={"name": same.name, "fingerprint": same.fingerprint},
        )
    key = TrustedKey.objects.create(
        fingerprint=public.fingerprint, name=name, pem=public.pem, model=row, added_by=actor
    )
    add_event(EventKind.KEY_TRUSTED, row, actor=actor, details=_key_facts(key))
    return _key_spec(key)


@transaction.atomic
def distrust_key(key: str, *, actor: str, reason: str = "") -> tuple[str, ...]:
    """No longer let a key (by name or fingerprint) count.

    Returns the routed versions ("ns/name version N") that lack a signature now: they go on
    answering, and cannot be loaded again. Raises TrustedKeyNotFound.
    """
    actor, reason, key = check_actor(actor), check_text("reason", reason), check_text("key", key)
    row = TrustedKey.objects.filter(Q(name=key) | Q(fingerprint=key)).first()
    if row is None:
        raise TrustedKeyNotFound(f"no trusted key is called {key:.100}")
    model = lock_model(str(row.model)) if row.model else None
    facts = _key_facts(row)
    row.delete()
    left = tuple(map(str, _unsigned_routed(model)))
    details = facts | {"unsigned": list(left)}
    add_event(EventKind.KEY_DISTRUSTED, model, actor=actor, reason=reason, details=details)
    return left


@transaction.atomic
def set_policy(model: str, *, requires_signature: bool, actor: str, reason: str = "") -> bool:
    """Say whether only signed versions of `model` may be routed; returns whether that is new.

    Raises SignatureRequired while a routed version is not signed: it could not be loaded again.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    row = lock_model(model)
    if row.requires_signature == requires_signature:
        return False
    RegisteredModel.objects.filter(pk=row.pk).update(requires_signature=requires_signature)
    row.requires_signature = requires_signature
    for version in _unsigned_routed(row):
        raise SignatureRequired(
            f"{version} is routed and has no trusted signature: sign it first",
            details={"model": model, "version": version.number},
        )
    details = {"requires_signature": requires_signature}
    add_event(EventKind.POLICY_SET, row, actor=actor, reason=reason, details=details)
    return True


def _unsigned_routed(model: RegisteredModel | None) -> list[Version]:
    rows = Route.objects.filter(model__requires_signature=True).select_related("version__model")
    if model is not None:
        rows = rows.filter(model=model)
    return [route.version for route in rows if not is_signed(route.version)]


def _key_facts(key: TrustedKey) -> dict[str, Any]:
    return {"name": key.name, "fingerprint": key.fingerprint}


def _key_spec(key: TrustedKey) -> TrustedKeySpec:
    return TrustedKeySpec(
        name=key.name,
        fingerprint=key.fingerprint,
        pem=key.pem,
        model=str(key.model) if key.model else None,
        added_by=key.added_by,
        created_at=key.created_at,
    )
