"""References: what a version's traffic is compared with."""

from django.db import models


class ReferenceOrigin(models.TextChoices):
    """Where a reference comes from."""

    TEXTS = "texts", "texts that were run through the version"
    SHIPPED = "shipped", "statistics among the version's files"
    ACCEPTED = "accepted", "the version's first predictions, accepted as normal"


class ReferenceState(models.TextChoices):
    """How far a reference is. Of the ready ones of a version at most one is active."""

    QUEUED = "queued"
    RUNNING = "running"
    COLLECTING = "collecting"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Basis(models.Model):
    """The encoded `drift.basis.Basis` of a version: made once, so that its sums stay comparable."""

    model = models.CharField(max_length=200)
    version = models.IntegerField()
    name = models.CharField(max_length=64)
    payload = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "bases"
        constraints = [models.UniqueConstraint(fields=["model", "version"], name="basis_version")]

    def __str__(self) -> str:
        return f"{self.model} v{self.version}: {self.name}"


class Reference(models.Model):
    """One reference of one version; `payload` is an encoded `drift.reference.Reference`."""

    model = models.CharField(max_length=200)
    version = models.IntegerField()
    origin = models.CharField(max_length=8, choices=ReferenceOrigin.choices)
    state = models.CharField(max_length=10, choices=ReferenceState.choices)
    is_active = models.BooleanField(default=False)
    note = models.CharField(max_length=500, blank=True)
    n_wanted = models.IntegerField(default=0, help_text="Texts to run, or predictions to collect.")
    n_done = models.IntegerField(default=0)
    n = models.IntegerField(default=0, help_text="Items it describes, once ready.")
    n_labelled = models.IntegerField(default=0)
    summary = models.JSONField(default=dict, help_text="What people read of it, once ready.")
    payload = models.BinaryField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=36, blank=True)
    n_attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Times it was taken up since a chunk of it was last done."
    )
    leased_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["model", "version", "-id"], name="reference_version")]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "version"],
                condition=models.Q(is_active=True),
                name="reference_one_active",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version}: {self.origin} reference, {self.state}"


class ReferenceChunk(models.Model):
    """Consecutive texts of a reference in the making; gone when it is ready."""

    reference = models.ForeignKey(Reference, on_delete=models.CASCADE, related_name="chunks")
    index = models.PositiveIntegerField()
    inputs = models.JSONField(help_text="[[text, label or null], …]")
    results = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reference", "index"], name="reference_chunk_index")
        ]

    def __str__(self) -> str:
        return f"{self.reference_id} [{self.index}]"
