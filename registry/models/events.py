"""What happened, who did it and why: append-only, each event sealed to the one before."""

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from registry.models.catalogue import RegisteredModel
from registry.models.fields import MAX_ACTOR_CHARS, MAX_TEXT_CHARS, choices
from registry.names import MAX_NAME_CHARS
from registry.specs import EventKind


class EventQuerySet(models.QuerySet["Event"]):
    """Events can be added and read."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("events are append-only: add another")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("events are append-only: add another")


class Event(models.Model):
    """Something that happened to a model; never changed afterwards.

    `hash` covers the event and the hash of the one before (`registry.audit`), so a change, a gap or
    a reordering anywhere in the past shows. The model's name is kept beyond the model's end.
    """

    at = models.DateTimeField(default=timezone.now, editable=False)
    model = models.ForeignKey(RegisteredModel, models.SET_NULL, null=True, related_name="events")
    model_name = models.CharField(max_length=2 * MAX_NAME_CHARS + 1, blank=True)
    number = models.PositiveIntegerField(null=True, help_text="The version it happened to.")
    kind = models.CharField(max_length=24, choices=choices(EventKind))
    actor = models.CharField(max_length=MAX_ACTOR_CHARS)
    reason = models.CharField(max_length=MAX_TEXT_CHARS, blank=True)
    details = models.JSONField(default=dict)
    from_number = models.PositiveIntegerField(null=True, help_text="The live version before.")
    to_number = models.PositiveIntegerField(null=True, help_text="The live version after.")
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes: ClassVar = [models.Index(fields=["model", "-id"], name="registry_event_by_model")]

    def __str__(self) -> str:
        return f"{self.model_name}: {self.kind}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("events are append-only: add another")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("events are append-only: add another")
