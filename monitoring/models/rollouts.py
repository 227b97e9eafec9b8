"""Canaries under watch: steps of traffic, the evidence at each, and how it ended."""

import uuid

from django.db import models


class RolloutState(models.TextChoices):
    RUNNING = "running"
    PAUSED = "paused"
    BAKING = "baking", "baking: promoted, and watched for a while"
    PROMOTED = "promoted"
    ABORTED = "aborted"
    CANCELLED = "cancelled"


class Rollout(models.Model):
    """A candidate version on its way to all traffic, one step of weight after the other."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.CharField(max_length=200)
    candidate = models.IntegerField()
    stable = models.IntegerField()
    state = models.CharField(max_length=9, choices=RolloutState.choices)
    steps = models.JSONField(help_text="Weights in percent, rising, the last one 100.")
    step = models.PositiveSmallIntegerField(default=0)
    options = models.JSONField(default=dict)
    evidence = models.JSONField(default=dict, help_text="Where every sequential test stands.")
    reason = models.CharField(max_length=500, blank=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    step_started_at = models.DateTimeField()
    analysed_at = models.DateTimeField(null=True, blank=True)
    bake_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model"],
                condition=models.Q(state__in=["running", "paused", "baking"]),
                name="rollout_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.candidate}: {self.state}"


class RolloutEvent(models.Model):
    """One decision of a rollout with its evidence."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    decision = models.CharField(max_length=12)
    weight = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=200, blank=True, help_text="Empty: the analysis.")
    evidence = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.rollout_id}: {self.decision}"
