"""Work that takes a while, and who does it: operations, backups, serving processes."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from registry.models.fields import MAX_ACTOR_CHARS, MAX_TEXT_CHARS, choices
from registry.specs import OperationKind, OperationState


class Operation(models.Model):
    """Long work that can be watched: how far it is, and how it ended.

    `heartbeat_at` is touched while the work goes on; `done` and `total` are bytes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=choices(OperationKind))
    title = models.CharField(max_length=300)
    parameters = models.JSONField(default=dict)
    state = models.CharField(
        max_length=8, choices=choices(OperationState), default=OperationState.QUEUED.value
    )
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    message = models.CharField(max_length=MAX_TEXT_CHARS, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    result = models.JSONField(default=dict)
    actor = models.CharField(max_length=MAX_ACTOR_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="registry_operation_by_time"),
            models.Index(fields=["kind", "state"], name="registry_operation_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"


class Backup(models.Model):
    """A snapshot that was written completely; the target's own list is the truth."""

    target = models.CharField(max_length=200, help_text="Its name in the settings.")
    snapshot = models.CharField(max_length=120)
    n_blobs = models.PositiveIntegerField()
    n_bytes = models.PositiveBigIntegerField()
    n_new_blobs = models.PositiveIntegerField()
    n_new_bytes = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=MAX_ACTOR_CHARS)
    verified_at = models.DateTimeField(null=True)
    is_sound = models.BooleanField(null=True, help_text="What its last verification found.")

    class Meta:
        ordering = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["target", "snapshot"], name="registry_backup_once")
        ]

    def __str__(self) -> str:
        return f"{self.target}: {self.snapshot}"


class Replica(models.Model):
    """A serving process, as it last spoke of itself.

    `states` maps a model to `{"prepared", "applied", "versions": [{"version", "state", "reason",
    "evidence", …}]}`; both generations are the model's.
    """

    id = models.CharField(max_length=100, primary_key=True)
    started_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now, db_index=True)
    is_ready = models.BooleanField(default=False)
    rss_bytes = models.PositiveBigIntegerField(default=0)
    states = models.JSONField(default=dict)

    class Meta:
        ordering = ["started_at", "id"]

    def __str__(self) -> str:
        return self.id
