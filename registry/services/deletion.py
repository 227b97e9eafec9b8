"""The end of a model: its rows go, its events stay, its files wait for the sweep."""

from django.db import transaction

from registry.errors import ModelIsLive
from registry.models import Route, Version
from registry.services.common import (
    add_event,
    check_actor,
    check_text,
    lock_model,
    raise_generation,
)
from registry.specs import EventKind


@transaction.atomic
def delete_model(name: str, *, actor: str, reason: str = "") -> None:
    """Delete a model with all its versions, commits and names. There is no way back but a backup.

    Raises ModelNotFound, InvalidField, or ModelIsLive while one of its versions is routed.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    if Route.objects.filter(model=model).exists():
        raise ModelIsLive(
            f"{name} answers requests: take its routes away before deleting it",
            details={"model": name},
        )
    details = {"n_versions": Version.objects.filter(model=model).count()}
    add_event(EventKind.DELETED, model, actor=actor, reason=reason, details=details)
    model.delete()
    raise_generation()
