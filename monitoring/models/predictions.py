"""Predictions and what was said about them, and how far each journal was turned into rows."""

from django.db import models


class Source(models.TextChoices):
    """Who says so: a sampled audit, truth that came later, or a user's own correction."""

    AUDIT = "audit"
    DELAYED = "delayed"
    USER = "user"


class RouteKind(models.TextChoices):
    """For whom an answer was: a caller, or somebody who looks at one version."""

    LIVE = "live"
    PINNED = "pinned"


class Prediction(models.Model):
    """One answered prediction; the id is the uuid7 that its caller got."""

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField(help_text="When the answer was ready.")
    model = models.CharField(max_length=200, help_text="namespace/name")
    version = models.IntegerField()
    task = models.CharField(max_length=100)
    text = models.TextField(null=True, help_text="Null where texts are not stored.")  # noqa: DJ001
    label = models.CharField(max_length=256)
    score = models.FloatField()
    scores = models.JSONField(help_text="Every label with its score.")
    n_tokens = models.IntegerField()
    truncated = models.BooleanField()
    segment = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=200, blank=True)
    dialect = models.CharField(max_length=50)
    key_id = models.CharField(max_length=200, blank=True)
    tokenize_s = models.FloatField()
    queue_s = models.FloatField()
    inference_s = models.FloatField()
    total_s = models.FloatField()
    route = models.CharField(
        max_length=8,
        choices=RouteKind.choices,
        default=RouteKind.LIVE,
        db_default=RouteKind.LIVE.value,
        help_text="A pinned answer is no sample of the traffic, so it is not counted.",
    )

    n_unknown = models.IntegerField(default=0, db_default=0, help_text="Tokens out of vocabulary.")
    script = models.CharField(max_length=24, blank=True, default="", db_default="")
    subject = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Keyed hash of whom the text is about or from, so that it can be forgotten.",
    )
    is_cached = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Somebody had asked the same: nothing was computed.",
    )
    answer = models.TextField(  # noqa: DJ001 - as the text, it may not be stored
        null=True,
        help_text="What the task answered beside label and scores, as JSON; null if nothing.",
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["subject"],
                condition=~models.Q(subject=""),
                name="prediction_subject",
            ),
            # Recounts and windows; then lists, which walk ids because a uuid7 is ordered by time.
            models.Index(fields=["model", "at"], name="prediction_model_at"),
            models.Index(fields=["model", "id"], name="prediction_model_id"),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version}: {self.label} ({self.score:.3f})"


class Feedback(models.Model):
    """One revision of what is known to be true of a prediction; the latest one counts."""

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="feedback")
    revision = models.IntegerField(help_text="1 for the first label, then counting up.")
    label = models.CharField(max_length=256)
    source = models.CharField(max_length=10, choices=Source.choices)
    at = models.DateTimeField(help_text="When it arrived.")
    weight = models.IntegerField(
        default=1000,
        db_default=1000,
        help_text="How many predictions it speaks for, in thousandths: 1/π for a sampled audit.",
    )
    key_id = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "feedback"
        indexes = [models.Index(fields=["at"], name="feedback_at")]
        constraints = [
            models.UniqueConstraint(fields=["prediction", "revision"], name="feedback_revision")
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.source}, revision {self.revision})"


class JournalPosition(models.Model):
    """How far a journal has been turned into rows; moves in the transaction that adds the rows."""

    journal = models.UUIDField(primary_key=True, editable=False)
    segment = models.BigIntegerField(default=0)
    offset = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.journal} at {self.segment}:{self.offset}"
