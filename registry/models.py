"""Tables of the registry. Only `registry.services` writes them; other apps read `registry.queries`.

A version's manifest (canonical JSON, the text that its digest names) is the one truth about its
paths. `VersionBlob` repeats only which blobs it holds on to, so that a blob in use cannot be
deleted and "who uses this blob" is an indexed question.
"""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from registry.names import MAX_NAME_CHARS
from registry.specs import EventKind, Pooling, RouteMode, VersionState

LIVE_WEIGHT = 100
MAX_TEXT_CHARS = 500


def _choices(enum: Any) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in enum]


class RegisteredModel(models.Model):
    """A name, `namespace/name`, under which versions are kept."""

    namespace = models.CharField(max_length=MAX_NAME_CHARS)
    name = models.CharField(max_length=MAX_NAME_CHARS)
    description = models.CharField(max_length=MAX_TEXT_CHARS, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = "model"
        ordering = ["namespace", "name"]
        constraints: ClassVar = [
            # Names that differ only in case would be one repository on some clients' disks.
            models.UniqueConstraint(
                Lower("namespace"), Lower("name"), name="registry_model_name_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Blob(models.Model):
    """One stored file's bytes, by sha256."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at", "sha256"]

    def __str__(self) -> str:
        return self.sha256


class Version(models.Model):
    """One immutable version: its files by manifest, and the facts read from them."""

    model = models.ForeignKey(RegisteredModel, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, help_text="sha256 of the manifest.")
    manifest = models.TextField(help_text="Canonical JSON: path, sha256 and size of every file.")
    blobs = models.ManyToManyField(Blob, through="VersionBlob", related_name="versions")
    task = models.CharField(max_length=64)
    labels = models.JSONField(default=list, help_text="Class names in logit order.")
    pooling = models.CharField(max_length=8, choices=_choices(Pooling))
    n_bytes = models.PositiveBigIntegerField()
    n_files = models.PositiveIntegerField()
    state = models.CharField(
        max_length=8, choices=_choices(VersionState), default=VersionState.SEALED.value
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150)
    source = models.CharField(max_length=200, help_text="Where the files came from.")
    note = models.CharField(max_length=MAX_TEXT_CHARS, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "number"], name="registry_version_number"),
            models.UniqueConstraint(fields=["model", "digest"], name="registry_version_digest"),
            models.CheckConstraint(
                condition=models.Q(number__gte=1), name="registry_version_from_1"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["digest"], name="registry_version_by_digest")]

    def __str__(self) -> str:
        return f"{self.model} version {self.number}"


class VersionBlob(models.Model):
    """That a version needs a blob, whatever the number of paths it has there."""

    version = models.ForeignKey(Version, models.CASCADE)
    blob = models.ForeignKey(Blob, models.PROTECT)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "blob"], name="registry_version_blob")
        ]

    def __str__(self) -> str:
        return f"{self.version_id}: {self.blob_id}"


class Route(models.Model):
    """A share of a model's traffic for one of its versions."""

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="routes")
    version = models.ForeignKey(Version, models.PROTECT, related_name="routes")
    mode = models.CharField(max_length=8, choices=_choices(RouteMode))
    weight = models.PositiveSmallIntegerField(default=LIVE_WEIGHT)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["model", "position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model"], condition=models.Q(mode="live"), name="registry_route_one_live"
            ),
            models.CheckConstraint(
                condition=models.Q(weight__lte=LIVE_WEIGHT), name="registry_route_weight"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.mode}, {self.weight})"


class EventQuerySet(models.QuerySet["Event"]):
    """Events can be added and read."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("events are append-only: add another")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("events are append-only: add another")


class Event(models.Model):
    """Something that happened to a model, who did it and why; never changed afterwards."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    model = models.ForeignKey(RegisteredModel, models.PROTECT, related_name="events")
    number = models.PositiveIntegerField(null=True, help_text="The version it happened to.")
    kind = models.CharField(max_length=16, choices=_choices(EventKind))
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=MAX_TEXT_CHARS, blank=True)
    details = models.JSONField(default=dict)
    from_number = models.PositiveIntegerField(null=True, help_text="The live version before.")
    to_number = models.PositiveIntegerField(null=True, help_text="The live version after.")

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes: ClassVar = [models.Index(fields=["model", "-id"], name="registry_event_by_model")]

    def __str__(self) -> str:
        return f"{self.model}: {self.kind}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("events are append-only: add another")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("events are append-only: add another")


class RegistryState(models.Model):
    """One row: how many times what should be served has changed."""

    generation = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"generation {self.generation}"
