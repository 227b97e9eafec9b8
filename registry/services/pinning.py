"""Which models stay in memory, whoever else needs the room."""

from django.db import transaction

from registry.models import RegisteredModel
from registry.services.common import (
    add_event,
    check_actor,
    check_text,
    lock_model,
    raise_generation,
)
from registry.specs import EventKind


@transaction.atomic
def set_pinned(name: str, *, is_pinned: bool, actor: str, reason: str = "") -> bool:
    """Pin a model, or let it make room for others again; returns whether that is new.

    Every process loads a pinned model at its start, and never unloads it for another. Raises
    ModelNotFound or InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    if model.is_pinned == is_pinned:
        return False
    RegisteredModel.objects.filter(pk=model.pk).update(is_pinned=is_pinned)
    raise_generation()
    details = {"is_pinned": is_pinned}
    add_event(EventKind.PINNED, model, actor=actor, reason=reason, details=details)
    return True
