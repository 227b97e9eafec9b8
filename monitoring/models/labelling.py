"""Which predictions somebody is asked to label, and how likely each was to be asked about."""

from django.db import models

from monitoring.models.predictions import Prediction


class AuditState(models.TextChoices):
    OPEN = "open"
    LABELLED = "labelled"
    SKIPPED = "skipped"
    EXPIRED = "expired"


class Second(models.TextChoices):
    """Whether a labelled item is asked about once more, and what came of it."""

    NONE = "", "not asked for"
    WANTED = "wanted"
    AGREED = "agreed"
    DISAGREED = "disagreed"
    SETTLED = "settled"


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
    holder = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="Who looks at it now."
    )
    held_until = models.DateTimeField(null=True, blank=True)
    second = models.CharField(
        max_length=9, choices=Second.choices, blank=True, default=Second.NONE, db_default=""
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["model", "second", "-at"],
                condition=~models.Q(second=""),
                name="audit_second",
            ),
            models.Index(
                fields=["model", "-uncertainty"],
                condition=models.Q(state="open"),
                name="audit_open",
            ),
            models.Index(fields=["at"], name="audit_at"),
        ]

    def __str__(self) -> str:
        return f"{self.prediction_id}: {self.state} (π = {self.probability:.4f})"


class Opinion(models.Model):
    """What one person said of a drawn prediction; the first opinion is the feedback that counts."""

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="opinions")
    labeller = models.CharField(max_length=200, help_text="As feedback keeps who gave it.")
    label = models.CharField(max_length=256)
    at = models.DateTimeField(help_text="When it was first given.")

    class Meta:
        indexes = [models.Index(fields=["labeller", "at"], name="opinion_labeller")]
        constraints = [
            models.UniqueConstraint(fields=["prediction", "labeller"], name="opinion_once")
        ]

    def __str__(self) -> str:
        return f"{self.prediction_id}: {self.label} ({self.labeller})"


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
