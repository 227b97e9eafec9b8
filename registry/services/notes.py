"""Events that other rooms cause: what they did to a model belongs to its history too."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from registry.queries import find_version
from registry.services.common import add_event, check_actor, check_text, lock_model
from registry.specs import EventKind


@transaction.atomic
def note_event(
    kind: EventKind,
    name: str,
    number: int,
    *,
    actor: str,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Append an event about a version, in the caller's transaction where there is one.

    Raises ModelNotFound, VersionNotFound or InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    version = find_version(model, number)
    add_event(kind, model, version=version, actor=actor, reason=reason, details=dict(details or {}))


@transaction.atomic
def note_erasure(*, actor: str, details: Mapping[str, Any]) -> None:
    """Append the event that somebody's data was erased; it names nobody. Raises InvalidField."""
    add_event(EventKind.ERASED, None, actor=check_actor(actor), details=dict(details))
