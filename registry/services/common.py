"""What every writer shares: locks, checked texts, events, the generation."""

from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from registry.audit import event_hash, fold, plain
from registry.errors import InvalidField
from registry.models import MAX_TEXT_CHARS, Event, RegisteredModel, RegistryState, Version
from registry.models.fields import MAX_ACTOR_CHARS
from registry.queries import STATE_ID, find_model
from registry.specs import EventKind
from registry.timeline import as_record, load_links


def lock_model(name: str) -> RegisteredModel:
    """The model's row, locked until the transaction ends; raises ModelNotFound.

    Changes of one model follow one another. SQLite locks the whole database from the
    transaction's first statement instead. Its key stays free: rows that refer to the model may be
    added meanwhile, else their writers and this one could wait for each other.
    """
    return RegisteredModel.objects.select_for_update(no_key=True).get(pk=find_model(name).pk)


def check_text(field: str, text: str, *, limit: int = MAX_TEXT_CHARS) -> str:
    """`text` stripped, if it is short and printable; raises InvalidField naming `field`."""
    stripped = text.strip()
    if len(stripped) > limit:
        raise InvalidField(f"{field} is over {limit} characters", details={"field": field})
    if not all(char.isprintable() or char in "\n\t" for char in stripped):
        raise InvalidField(f"{field} holds a control character", details={"field": field})
    return stripped


def check_actor(actor: str) -> str:
    """Who did it, as events keep it: cut to the column's length; raises InvalidField when empty."""
    checked = check_text("actor", actor[:MAX_ACTOR_CHARS])
    if not checked:
        raise InvalidField("actor must say who does this", details={"field": "actor"})
    return checked


@transaction.atomic(savepoint=False)
def add_event(
    kind: EventKind,
    model: RegisteredModel | None,
    *,
    actor: str,
    version: Version | None = None,
    reason: str = "",
    details: dict[str, Any] | None = None,
    change: tuple[int | None, int | None] = (None, None),
) -> None:
    """Append an event, sealed to the one before; `change` is the live version before and after.

    `model` is None for what happens to the registry as a whole. Writers of events follow one
    another from here to the end of their transaction, so whatever else a transaction locks (its
    model, then blobs) it locks first.
    """
    if model is not None:
        # Before the state: whoever changes the model later in this transaction has it by then.
        RegisteredModel.objects.select_for_update(no_key=True).filter(pk=model.pk).first()
    _lock_state()
    last = Event.objects.order_by("-id").only("hash").first()
    event = Event(
        # Not the database's next number: that is drawn before the lock, so out of order.
        id=last.pk + 1 if last else 1,
        at=timezone.now(),
        kind=kind,
        model=model,
        model_name=str(model) if model else "",
        number=version.number if version else None,
        actor=actor,
        reason=reason,
        details=plain(details or {}),
        from_number=change[0],
        to_number=change[1],
    )
    # Events from before the chain have no hash: the first one that has covers them all.
    event.previous_hash = last.hash if last and last.hash else fold(load_links())
    event.hash = event_hash(event.previous_hash, as_record(event))
    Event.objects.bulk_create([event])


def _lock_state() -> None:
    row = RegistryState.objects.select_for_update().filter(pk=STATE_ID).first()
    if row is None:
        RegistryState.objects.get_or_create(pk=STATE_ID)
        RegistryState.objects.select_for_update().get(pk=STATE_ID)


def raise_generation(model: RegisteredModel | None = None) -> int:
    """Let every replica see that its routes are out of date; returns the new generation.

    With `model`, it is that model's routes that have changed.
    """
    RegistryState.objects.get_or_create(pk=STATE_ID)
    RegistryState.objects.filter(pk=STATE_ID).update(generation=F("generation") + 1)
    generation = RegistryState.objects.values_list("generation", flat=True).get(pk=STATE_ID)
    if model is not None:
        RegisteredModel.objects.filter(pk=model.pk).update(routes_generation=generation)
    return generation
