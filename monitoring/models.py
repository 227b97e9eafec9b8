"""Rows are facts: predictions and feedback are added and pruned, roll-ups are summed."""

from django.db import models

from monitoring.windows import Grain


class Source(models.TextChoices):
    """Who says so: a sampled audit, truth that came later, or a user's own correction."""

    AUDIT = "audit"
    DELAYED = "delayed"
    USER = "user"


class RouteKind(models.TextChoices):
    """For whom an answer was: a caller, or somebody who looks at one version."""

    LIVE = "live"
    PINNED = "pinned"


class Clock(models.TextChoices):
    """Which time a label is counted at: the prediction's, or its own arrival."""

    PREDICTED = "predicted"
    ARRIVED = "arrived"


GRAINS = [(grain.value, grain.value) for grain in Grain]


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

    class Meta:
        indexes = [
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
    key_id = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "feedback"
        indexes = [models.Index(fields=["at"], name="feedback_at")]
        constraints = [
            models.UniqueConstraint(fields=["prediction", "revision"], name="feedback_revision")
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.source}, revision {self.revision})"


class PredictionCount(models.Model):
    """How many predictions of one label fell into one bucket of time."""

    model = models.CharField(max_length=200)
    grain = models.CharField(max_length=6, choices=GRAINS)
    bucket = models.DateTimeField(help_text="Where the minute, hour or day begins (UTC).")
    version = models.IntegerField()
    segment = models.CharField(max_length=200, blank=True)
    label = models.CharField(max_length=256)
    n = models.BigIntegerField()

    KEY = ("model", "grain", "bucket", "version", "segment", "label")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                # In the order in which windows are read: the constraint's index is the only one.
                fields=["model", "grain", "bucket", "version", "segment", "label"],
                name="prediction_count_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.grain} {self.bucket}: {self.label} x {self.n}"


class ConfusionCell(models.Model):
    """How many labelled predictions of one bucket were `predicted` this and are `actual` that."""

    model = models.CharField(max_length=200)
    clock = models.CharField(max_length=9, choices=Clock.choices)
    grain = models.CharField(max_length=6, choices=GRAINS)
    bucket = models.DateTimeField(help_text="Where the minute, hour or day begins (UTC).")
    version = models.IntegerField()
    segment = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    predicted = models.CharField(max_length=256)
    actual = models.CharField(max_length=256)
    n = models.BigIntegerField()

    KEY = (
        "model",
        "clock",
        "grain",
        "bucket",
        "version",
        "segment",
        "source",
        "predicted",
        "actual",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "model",
                    "clock",
                    "grain",
                    "bucket",
                    "version",
                    "segment",
                    "source",
                    "predicted",
                    "actual",
                ],
                name="confusion_cell_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.grain} {self.bucket}: {self.predicted}/{self.actual} x {self.n}"


class ShadowCell(models.Model):
    """How many texts of an hour the primary called `predicted` and its shadow `shadowed`."""

    model = models.CharField(max_length=200)
    bucket = models.DateTimeField(help_text="Where the hour begins (UTC).")
    primary_version = models.IntegerField()
    shadow_version = models.IntegerField()
    predicted = models.CharField(max_length=256)
    shadowed = models.CharField(max_length=256)
    n = models.BigIntegerField()

    KEY = ("model", "bucket", "primary_version", "shadow_version", "predicted", "shadowed")

    class Meta:
        verbose_name = "shadow comparison"
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "model",
                    "bucket",
                    "primary_version",
                    "shadow_version",
                    "predicted",
                    "shadowed",
                ],
                name="shadow_cell_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.bucket}: {self.predicted}/{self.shadowed} x {self.n}"


class ShadowTally(models.Model):
    """A named sum over an hour's comparisons: of differences, seconds, failures (`ShadowSum`)."""

    model = models.CharField(max_length=200)
    bucket = models.DateTimeField(help_text="Where the hour begins (UTC).")
    primary_version = models.IntegerField()
    shadow_version = models.IntegerField()
    name = models.CharField(max_length=24)
    n = models.BigIntegerField()

    KEY = ("model", "bucket", "primary_version", "shadow_version", "name")

    class Meta:
        verbose_name_plural = "shadow tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["model", "bucket", "primary_version", "shadow_version", "name"],
                name="shadow_tally_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.bucket}: {self.name} = {self.n}"


class ShadowFlip(models.Model):
    """One of the newest answers that a shadow gave another label; the text is the prediction's."""

    model = models.CharField(max_length=200)
    primary_version = models.IntegerField()
    shadow_version = models.IntegerField()
    prediction = models.UUIDField(help_text="The id that the primary's caller got.")
    at = models.DateTimeField()
    predicted = models.CharField(max_length=256)
    shadowed = models.CharField(max_length=256)

    class Meta:
        indexes = [
            models.Index(
                fields=["model", "primary_version", "shadow_version", "-id"],
                name="shadow_flip_newest",
            )
        ]

    def __str__(self) -> str:
        return f"{self.prediction}: {self.predicted}/{self.shadowed}"


class JournalPosition(models.Model):
    """How far a journal has been turned into rows; moves in the transaction that adds the rows."""

    journal = models.UUIDField(primary_key=True, editable=False)
    segment = models.BigIntegerField(default=0)
    offset = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.journal} at {self.segment}:{self.offset}"
