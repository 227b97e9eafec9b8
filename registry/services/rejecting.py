"""A version that was found wanting gets no traffic until somebody says that it may."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from registry.errors import InvalidField, VersionIsLive
from registry.models import MAX_TEXT_CHARS, Route, Version
from registry.queries import find_version, version_spec
from registry.services.common import add_event, check_actor, check_text, lock_model
from registry.specs import EventKind, VersionSpec


@transaction.atomic
def reject(
    name: str,
    number: int,
    *,
    actor: str,
    reason: str,
    details: Mapping[str, Any] | None = None,
) -> VersionSpec:
    """Let version `number` not be routed again, for `reason`; `details` (JSON) is the evidence.

    Rejecting it again changes nothing. Raises ModelNotFound, VersionNotFound, InvalidField, or
    VersionIsLive while it has a route.
    """
    actor, reason = check_actor(actor), check_text("reason", reason[:MAX_TEXT_CHARS])
    if not reason:
        raise InvalidField("reason must say why it is rejected", details={"field": "reason"})
    model = lock_model(name)
    version = find_version(model, number)
    if Route.objects.filter(version=version).exists():
        raise VersionIsLive(
            f"{name} version {number} is routed: take its traffic away first",
            details={"model": name, "version": number},
        )
    if not version.rejection:
        Version.objects.filter(pk=version.pk).update(rejection=reason)
        add_event(
            EventKind.REJECTED,
            model,
            version=version,
            actor=actor,
            reason=reason,
            details=dict(details or {}),
        )
    return version_spec(version)


@transaction.atomic
def reinstate(name: str, number: int, *, actor: str, reason: str) -> VersionSpec:
    """Let a rejected version be routed again; one that was not rejected stays as it is.

    Raises ModelNotFound, VersionNotFound or InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    if not reason:
        raise InvalidField("reason must say why it may serve again", details={"field": "reason"})
    model = lock_model(name)
    version = find_version(model, number)
    if version.rejection:
        Version.objects.filter(pk=version.pk).update(rejection="")
        add_event(
            EventKind.REINSTATED,
            model,
            version=version,
            actor=actor,
            reason=reason,
            details={"rejection": version.rejection},
        )
    return version_spec(version)
