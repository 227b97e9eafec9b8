"""Roll-ups: counters by minute, hour and day. They outlive the rows that they were counted from."""

from django.db import models

from monitoring.models.predictions import Source
from monitoring.windows import Grain

GRAINS = [(grain.value, grain.value) for grain in Grain]


class Clock(models.TextChoices):
    """Which time a label is counted at: the prediction's, or its own arrival."""

    PREDICTED = "predicted"
    ARRIVED = "arrived"


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
    weight = models.BigIntegerField(
        default=0, db_default=0, help_text="Sum of the labels' weights, in thousandths."
    )
    weight_squared = models.BigIntegerField(
        default=0, db_default=0, help_text="Sum of the squared weights, in millionths."
    )

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


class FailureCount(models.Model):
    """How many requests one version failed, by error code: whose fault it was, the code says."""

    model = models.CharField(max_length=200)
    grain = models.CharField(max_length=6, choices=GRAINS)
    bucket = models.DateTimeField(help_text="Where the minute, hour or day begins (UTC).")
    version = models.IntegerField()
    code = models.CharField(max_length=60)
    n = models.BigIntegerField()

    KEY = ("model", "grain", "bucket", "version", "code")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "grain", "bucket", "version", "code"], name="failure_count_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version} {self.bucket}: {self.code} x {self.n}"
