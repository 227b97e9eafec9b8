"""Rows of asynchronous jobs: what was asked, how far it is, what came out."""

import uuid

from django.db import models

MAX_NAME_CHARS = 200


class JobState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Asked(models.TextChoices):
    """What a running job shall become once its current chunk is done."""

    NOTHING = ""
    PAUSE = "pause"
    CANCEL = "cancel"


class Job(models.Model):
    """One request for many predictions. A process that works on it holds its lease (`owner`,
    `leased_until`). `n_inputs` is None until a file was read to its end; `n_done` rows have an
    answer, `n_failed` rows of a file have none.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    asked = models.CharField(max_length=6, choices=Asked.choices, default=Asked.NOTHING, blank=True)
    n_inputs = models.PositiveIntegerField(null=True)
    n_done = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    key_id = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    owner = models.CharField(max_length=36, blank=True)
    created_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(state__in=["queued", "running"]),
                name="job_unfinished",
            ),
            models.Index(fields=["finished_at"], name="job_finished_at"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.id}"


class JobFile(models.Model):
    """A job's file: what it is, how far it was read, and how much of what was written counts.

    All of it moves with a chunk, in one transaction: after a crash reading goes on at this place.
    `segments` are `[name, result bytes, error bytes]`, one for each time that the job was taken;
    `worked_s` is the time that the chunks took.
    """

    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="file", primary_key=True)
    format = models.CharField(max_length=8)
    is_gzip = models.BooleanField(default=False)
    task = models.CharField(max_length=64)
    text_column = models.CharField(max_length=MAX_NAME_CHARS)
    label_column = models.CharField(max_length=MAX_NAME_CHARS, blank=True)
    keeps_columns = models.BooleanField(default=True)
    columns = models.JSONField(default=list)
    n_bytes = models.PositiveBigIntegerField()
    n_bytes_read = models.PositiveBigIntegerField(default=0)
    input_offset = models.PositiveBigIntegerField(default=0)
    input_line = models.PositiveBigIntegerField(default=0)
    segments = models.JSONField(default=list)
    n_labels = models.PositiveIntegerField(default=0)
    n_labels_refused = models.PositiveIntegerField(default=0)
    pending_labels = models.JSONField(default=list)
    worked_s = models.FloatField(default=0.0)

    def __str__(self) -> str:
        return f"{self.job_id} ({self.format})"


class JobChunk(models.Model):
    """Consecutive texts of a job: the unit that is done as a whole and never again."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    index = models.PositiveIntegerField()
    inputs = models.JSONField()
    results = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "index"], name="job_chunk_index")]

    def __str__(self) -> str:
        return f"{self.job_id} [{self.index}]"
