"""Which predictions somebody is asked to label, and how likely each was to be asked about."""

from django.db import models

from monitoring.models.predictions import Prediction


class AuditState(models.TextChoices):
    OPEN = "open"
    LABELLED = "labelled"
    SKIPPED = "skipped"
    EXPIRED = "expired"


class AuditItem(models.Model):
    """One prediction drawn for a label, with the probability it was drawn with.

    `uncertainty` in [0, 1] orders the queue. The probability was fixed before the draw, so its
    inverse weighs the label without bias.
    """

    prediction = models.OneToOneField(
        Prediction, primary_key=True, on_delete=models.CASCADE, related_name="audit"
    )
    model = models.CharField(max_length=200)
    version = models.IntegerField()
    at = models.DateTimeField(help_text="When the prediction was made.")
    probability = models.FloatField()
    uncertainty = models.FloatField()
    state = models.CharField(max_length=8, choices=AuditState.choices, default=AuditState.OPEN)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["model", "-uncertainty"],
                condition=models.Q(state="open"),
                name="audit_open",
            ),
            models.Index(fields=["at"], name="audit_at"),
        ]

    def __str__(self) -> str:
        return f"{self.prediction_id}: {self.state} (π = {self.probability:.4f})"


class AuditPlan(models.Model):
    """How many labels an hour are asked for, and the draw's rate that follows from the traffic."""

    model = models.CharField(max_length=200, primary_key=True)
    per_hour = models.IntegerField(
        null=True, blank=True, help_text="0 asks for none; empty: as many as the setting says."
    )
    uncertain_share = models.FloatField(
        default=0.5, help_text="Part of the draw that prefers uncertain answers; the rest is even."
    )
    rate = models.FloatField(default=0, help_text="Draws per prediction now.")
    mean_uncertainty = models.FloatField(default=0.2, help_text="Of recent predictions.")
    rated_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.model}: {'default' if self.per_hour is None else self.per_hour} an hour"
