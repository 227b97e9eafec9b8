"""Stored bytes, and the commits and names through which Hub clients see them."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from registry.models.fields import MAX_ACTOR_CHARS, choices
from registry.specs import RefKind


class Blob(models.Model):
    """One stored file's bytes, by sha256."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    git_oid = models.CharField(
        max_length=40, blank=True, help_text="The sha1 that git gives these bytes, once asked for."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    verified_at = models.DateTimeField(null=True, help_text="When its bytes were last read again.")
    is_damaged = models.BooleanField(default=False)
    condemned_at = models.DateTimeField(
        null=True, db_index=True, help_text="Since when nothing needs it; swept after a grace."
    )

    class Meta:
        ordering = ["-created_at", "sha256"]

    def __str__(self) -> str:
        return self.sha256


class Commit(models.Model):
    """A state of a model's files, with the 40-hex id that git would give it.

    `manifest` is canonical JSON as in a version, except that it may be empty (`[]`).
    """

    model = models.ForeignKey("RegisteredModel", models.CASCADE, related_name="commits")
    oid = models.CharField(max_length=40)
    parent_oid = models.CharField(max_length=40, blank=True)
    tree_oid = models.CharField(max_length=40)
    manifest = models.TextField()
    blobs = models.ManyToManyField(Blob, through="CommitBlob", related_name="commits")
    title = models.CharField(max_length=500)
    message = models.TextField(blank=True)
    author = models.CharField(max_length=MAX_ACTOR_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "oid"], name="registry_commit_oid")
        ]

    def __str__(self) -> str:
        return self.oid


class CommitBlob(models.Model):
    """That a commit needs a blob, whatever the number of paths it has there."""

    commit = models.ForeignKey(Commit, models.CASCADE)
    blob = models.ForeignKey(Blob, models.RESTRICT)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["commit", "blob"], name="registry_commit_blob")
        ]

    def __str__(self) -> str:
        return f"{self.commit_id}: {self.blob_id}"


class Ref(models.Model):
    """A name for a commit: a branch grows, a tag stays, an alias is moved between versions.

    The tags `vN` are not here: they are the versions themselves. Nor are `prod` and `previous`,
    which follow the routes.
    """

    model = models.ForeignKey("RegisteredModel", models.CASCADE, related_name="refs")
    kind = models.CharField(max_length=8, choices=choices(RefKind))
    name = models.CharField(max_length=250)
    commit = models.ForeignKey(Commit, models.RESTRICT, related_name="refs")
    message = models.CharField(max_length=500, blank=True)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["model", "kind", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "name"], name="registry_ref_name")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class Lease(models.Model):
    """That somebody is about to need a blob which nothing refers to yet."""

    blob = models.ForeignKey(Blob, models.CASCADE, related_name="leases")
    model = models.ForeignKey("RegisteredModel", models.CASCADE, null=True)
    owner = models.CharField(max_length=MAX_ACTOR_CHARS)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["model", "blob"], name="registry_lease_by_model")]

    def __str__(self) -> str:
        return f"{self.blob_id} for {self.owner}"


class Upload(models.Model):
    """Bytes that a Hub client was allowed to send, until they are complete or too late."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey("RegisteredModel", models.CASCADE)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    part_size = models.PositiveBigIntegerField(default=0, help_text="0 for one request.")
    actor = models.CharField(max_length=MAX_ACTOR_CHARS)
    is_complete = models.BooleanField(default=False)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.sha256} ({self.size} bytes)"


class Xorb(models.Model):
    """Chunks that a client uploaded once and may name again instead of sending them.

    `lengths` are the unpacked bytes of each chunk; `pieces` (`[[start, end, sha256, offset]]`) says
    in which blob the chunks [start, end) lie since the file they belong to was put together.
    """

    model = models.ForeignKey("RegisteredModel", models.CASCADE)
    epoch = models.PositiveIntegerField()
    hash = models.CharField(max_length=64)
    lengths = models.JSONField()
    pieces = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "epoch", "hash"], name="registry_xorb_hash")
        ]

    def __str__(self) -> str:
        return self.hash
