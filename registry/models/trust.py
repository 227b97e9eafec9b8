"""Why a version may be believed: golden inputs it must answer as before, signatures it carries."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from registry.models.catalogue import RegisteredModel, Version
from registry.models.fields import MAX_ACTOR_CHARS


class Golden(models.Model):
    """Inputs and the answers that this version must give to them before it may serve.

    `cases` is `[{"input", "label", "scores": {label: score}}]`; a score may differ by `tolerance`.
    """

    version = models.OneToOneField(Version, models.CASCADE, related_name="golden")
    cases = models.JSONField()
    tolerance = models.FloatField()
    is_given = models.BooleanField(help_text="Whether they came with the files, or were made here.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "golden inputs"

    def __str__(self) -> str:
        return f"golden inputs of {self.version}"


class TrustedKey(models.Model):
    """A public key whose signatures count. `model` empty: for every model."""

    fingerprint = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100)
    pem = models.TextField()
    model = models.ForeignKey(RegisteredModel, models.CASCADE, null=True, blank=True)
    added_by = models.CharField(max_length=MAX_ACTOR_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint[:12]})"


class Signature(models.Model):
    """A signature over a version's files, as an OpenSSF model-signing bundle."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="signatures")
    fingerprint = models.CharField(max_length=64)
    bundle = models.TextField()
    added_by = models.CharField(max_length=MAX_ACTOR_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version", "fingerprint"], name="registry_signature_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} by {self.fingerprint[:12]}"
