"""The end of a model: its rows go, its events stay, its files wait for the sweep."""

from django.db import transaction

from registry.errors import InvalidField, ModelIsLive
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
def delete_model(name: str, *, actor: str, reason: str = "", force: bool = False) -> None:
    """Delete a model with all its versions, commits and names. There is no way back but a backup.

    `force` (with a reason) deletes one that answers requests: from then on nobody gets an answer.
    Raises ModelNotFound, InvalidField, or ModelIsLive while one of its versions is routed.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    if force and not reason:
        raise InvalidField("reason must say why, with force", details={"field": "reason"})
    model = lock_model(name)
    routes = Route.objects.filter(model=model)
    numbers = list(routes.order_by("position").values_list("version__number", flat=True))
    if numbers and not force:
        raise ModelIsLive(
            f"{name} answers requests: delete it with force, and a reason, if nobody needs them",
            details={"model": name},
        )
    routes.delete()
    details: dict[str, object] = {"n_versions": Version.objects.filter(model=model).count()}
    if numbers:
        details |= {"forced": True, "routed": numbers}
    add_event(EventKind.DELETED, model, actor=actor, reason=reason, details=details)
    model.delete()
    raise_generation()
