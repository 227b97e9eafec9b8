"""What shadows have shown, in hourly sums and the newest flips."""

from django.db import models


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
