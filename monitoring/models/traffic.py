"""What traffic adds up to: mergeable sums, and a bounded sample of it with texts and embeddings."""

from django.db import models

from monitoring.windows import Grain

PROFILE_GRAINS = [(grain.value, grain.value) for grain in (Grain.HOUR, Grain.DAY)]


class Span(models.TextChoices):
    """Which stretch a row of sums covers."""

    BLOCK = "block", "the next hundred predictions of one journal"
    SLOT = "slot", "five minutes"
    HOUR = "hour", "an hour"


class TrafficSum(models.Model):
    """The encoded `drift.sums.Sums` of one version's predictions in one stretch.

    Each journal adds to rows of its own, so writers never wait for each other; slots become hours
    and journals one (`journal` null) when they are old. Blocks are the newest ones only, of all
    segments together, for windows by count; slots and hours are kept by segment.
    """

    model = models.CharField(max_length=200)
    version = models.IntegerField()
    segment = models.CharField(max_length=200, blank=True)
    span = models.CharField(max_length=5, choices=Span.choices)
    start_at = models.DateTimeField(help_text="Where the stretch begins (UTC).")
    end_at = models.DateTimeField(help_text="For a block, when its last prediction was answered.")
    journal = models.UUIDField(null=True)
    n = models.IntegerField()
    payload = models.BinaryField()
    profile = models.BinaryField(
        null=True, help_text="A slot's encoded profile, so that nobody need decode the payload."
    )
    profiled_at = models.DateTimeField(
        null=True, help_text="When an hour was added to the profiles; empty: not yet."
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["model", "version", "span", "start_at"], name="traffic_sum_window"
            ),
            # Hours from before there were profiles: soon there are none.
            models.Index(
                fields=["model", "start_at"],
                condition=models.Q(span="hour", profiled_at=None),
                name="traffic_sum_unprofiled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version} {self.span} {self.start_at}: {self.n}"


class TrafficProfile(models.Model):
    """The encoded `traffic.profiles` of one hour or day that is more than a day old: histograms of
    latency and confidence, kept as long as the counts are.

    A slot's or an hour's numbers are in it exactly if the row of `TrafficSum` is gone or has a
    `profiled_at`: rows and profiles change in one transaction.
    """

    model = models.CharField(max_length=200)
    grain = models.CharField(max_length=6, choices=PROFILE_GRAINS)
    bucket = models.DateTimeField(help_text="Where the hour or day begins (UTC).")
    version = models.IntegerField()
    segment = models.CharField(max_length=200, blank=True)
    payload = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                # In the order in which windows are read, as for the counts.
                fields=["model", "grain", "bucket", "version", "segment"],
                name="traffic_profile_key",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version} {self.grain} {self.bucket}"


class Exemplar(models.Model):
    """One prediction of the bounded sample: its text (redacted, or null) and its embedding.

    `rank` is a keyed hash of the prediction's id: the lowest ranks of a stretch are a uniform
    sample of it, whoever drew them, and a thinner sample is a prefix of a thicker one.
    """

    prediction = models.UUIDField(primary_key=True, editable=False)
    model = models.CharField(max_length=200)
    version = models.IntegerField()
    segment = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    slot_at = models.DateTimeField(help_text="Where its five minutes begin (UTC).")
    rank = models.BigIntegerField()
    text = models.TextField(null=True)  # noqa: DJ001
    label = models.CharField(max_length=256)
    scores = models.JSONField()
    n_tokens = models.IntegerField()
    n_unknown = models.IntegerField()
    script = models.CharField(max_length=24, blank=True)
    language = models.CharField(max_length=8, blank=True)
    total_s = models.FloatField()
    embedding = models.BinaryField(help_text="Little-endian float16.")
    subject = models.CharField(max_length=64, blank=True)
    is_collected = models.BooleanField(
        default=False, help_text="Kept whole until a reference has been made of it."
    )

    class Meta:
        indexes = [
            models.Index(fields=["model", "version", "slot_at", "rank"], name="exemplar_slot"),
            models.Index(fields=["model", "version", "at"], name="exemplar_at"),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version} {self.at}: {self.label}"
