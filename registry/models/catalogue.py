"""Models, their versions, and which versions answer.

A version's manifest (canonical JSON, the text that its digest names) is the one truth about its
paths. `VersionBlob` repeats only which blobs it holds on to, so that a blob in use cannot be
deleted and "who uses this blob" is an indexed question.
"""

import secrets
from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from registry.models.fields import MAX_ACTOR_CHARS, MAX_TEXT_CHARS, choices
from registry.models.files import Blob, Commit
from registry.names import MAX_NAME_CHARS
from registry.specs import Pooling, RouteMode, Stickiness, VersionKind, VersionState

LIVE_WEIGHT = 100


def make_salt() -> str:
    return secrets.token_hex(16)


class RegisteredModel(models.Model):
    """A name, `namespace/name`, under which versions are kept.

    `routes_generation` is the registry's generation at which the routes last changed.
    `committed_routes` (`[{"version", "mode", "weight"}]`, stable first) is what replicas may serve,
    as of `committed_generation`: the two differ while a change is being prepared, or failed.
    """

    namespace = models.CharField(max_length=MAX_NAME_CHARS)
    name = models.CharField(max_length=MAX_NAME_CHARS)
    description = models.CharField(max_length=MAX_TEXT_CHARS, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    stickiness = models.CharField(
        max_length=8,
        choices=choices(Stickiness),
        default=Stickiness.KEY.value,
        help_text="What keeps a caller on one version while several are live.",
    )
    route_salt = models.CharField(max_length=64, default=make_salt, editable=False)
    routes_generation = models.PositiveBigIntegerField(default=0, editable=False)
    committed_generation = models.PositiveBigIntegerField(default=0, editable=False)
    committed_routes = models.JSONField(default=list, editable=False)
    committed_at = models.DateTimeField(null=True, editable=False)
    requires_signature = models.BooleanField(
        default=False, help_text="Whether only versions signed by a trusted key may be routed."
    )
    is_pinned = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Whether it stays in memory, whoever else needs the room.",
    )
    cas_epoch = models.PositiveIntegerField(
        default=1, editable=False, help_text="Raised when chunks kept for delta uploads are gone."
    )

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


class Version(models.Model):
    """One immutable version: its files by manifest, and the facts read from them."""

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(
        max_length=8, choices=choices(VersionKind), default=VersionKind.FILES.value
    )
    commit = models.ForeignKey(Commit, models.RESTRICT, null=True, related_name="versions")
    digest = models.CharField(max_length=64, help_text="sha256 of the manifest.")
    manifest = models.TextField(help_text="Canonical JSON: path, sha256 and size of every file.")
    blobs = models.ManyToManyField(Blob, through="VersionBlob", related_name="versions")
    task = models.CharField(max_length=64)
    labels = models.JSONField(default=list, help_text="Class names in logit order.")
    pooling = models.CharField(max_length=8, choices=choices(Pooling))
    n_bytes = models.PositiveBigIntegerField()
    n_files = models.PositiveIntegerField()
    state = models.CharField(
        max_length=8, choices=choices(VersionState), default=VersionState.SEALED.value
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=MAX_ACTOR_CHARS)
    source = models.CharField(max_length=200, help_text="Where the files came from.")
    note = models.CharField(max_length=MAX_TEXT_CHARS, blank=True)
    retired_at = models.DateTimeField(null=True, editable=False)
    rejection = models.CharField(
        max_length=MAX_TEXT_CHARS,
        blank=True,
        default="",
        db_default="",
        help_text="Why it must not get traffic; reinstating it takes this away.",
    )

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
    blob = models.ForeignKey(Blob, models.RESTRICT)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "blob"], name="registry_version_blob")
        ]

    def __str__(self) -> str:
        return f"{self.version_id}: {self.blob_id}"


class Route(models.Model):
    """A share of a model's traffic for one of its versions.

    `weight` is percent of the live traffic, or, for a shadow, the percent of it that is copied. The
    live route at position 0 is the stable one; further live ones are canaries.
    """

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="routes")
    version = models.ForeignKey(Version, models.RESTRICT, related_name="routes")
    mode = models.CharField(max_length=8, choices=choices(RouteMode))
    weight = models.PositiveSmallIntegerField(default=LIVE_WEIGHT)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["model", "position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model"],
                condition=models.Q(mode="live", position=0),
                name="registry_route_one_stable",
            ),
            models.UniqueConstraint(fields=["model", "version"], name="registry_route_version"),
            models.CheckConstraint(
                condition=models.Q(weight__lte=LIVE_WEIGHT), name="registry_route_weight"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.mode}, {self.weight})"


class RegistryState(models.Model):
    """One row: how many times what should be served has changed."""

    generation = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"generation {self.generation}"
