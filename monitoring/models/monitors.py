"""Monitors are standing questions; evaluations are their dated answers."""

from django.db import models


class MonitorKind(models.TextChoices):
    """What a monitor looks at."""

    DRIFT = "drift"
    QUALITY = "quality"
    CLASSIC = "classic", "classic rule"
    ESTIMATE = "estimate", "label-free estimate"
    CALIBRATION = "calibration"
    TRAFFIC = "traffic", "missing traffic"
    FEEDBACK = "feedback", "missing feedback"
    ERRORS = "errors", "error rate"
    LATENCY = "latency"
    STUCK = "stuck", "stuck evaluation"


class Monitor(models.Model):
    """A standing question about a model; `version` null asks about the live one.

    `window` counts predictions (`window_by` count) or seconds (time). It is due `every_s` seconds
    after its last evaluation, or `every_n` predictions after it, whichever comes first (0: never).
    """

    model = models.CharField(max_length=200)
    version = models.IntegerField(null=True, blank=True, help_text="Empty: the live version.")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=MonitorKind.choices)
    detectors = models.JSONField(default=list, blank=True, help_text="Names; empty: the defaults.")
    window_by = models.CharField(max_length=5, choices=[("count", "count"), ("time", "time")])
    window = models.IntegerField(help_text="Predictions, or seconds.")
    options = models.JSONField(default=dict, blank=True)
    every_s = models.IntegerField(default=300)
    every_n = models.IntegerField(default=0)
    fires_after = models.PositiveSmallIntegerField(
        default=2, help_text="Bad evaluations in a row before an alert fires."
    )
    resolves_after = models.PositiveSmallIntegerField(
        default=2, help_text="Good evaluations in a row before it resolves."
    )
    cooldown_s = models.IntegerField(default=3600)
    is_enabled = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Defaults are remembered, so that they do not come back."
    )
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    evaluated_at = models.DateTimeField(null=True, blank=True)
    n_at_evaluation = models.BigIntegerField(
        default=0, help_text="Predictions that were counted on that UTC day until then."
    )
    state = models.JSONField(default=dict, blank=True, help_text="What it carries forward.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="monitor_name")]

    def __str__(self) -> str:
        return f"{self.model}: {self.name}"


class Evaluation(models.Model):
    """One dated answer, with the numbers that it rests on and what it cost."""

    monitor = models.ForeignKey(
        Monitor, null=True, on_delete=models.SET_NULL, related_name="evaluations"
    )
    model = models.CharField(max_length=200)
    version = models.IntegerField()
    kind = models.CharField(max_length=12, choices=MonitorKind.choices)
    at = models.DateTimeField()
    window_start_at = models.DateTimeField(null=True)
    window_end_at = models.DateTimeField(null=True)
    reference = models.BigIntegerField(null=True, help_text="Id of the reference compared with.")
    n_reference = models.BigIntegerField(default=0)
    n_window = models.BigIntegerField(default=0)
    verdict = models.CharField(max_length=20)
    severity = models.CharField(max_length=8, blank=True)
    value = models.FloatField(null=True, help_text="The statistic, or the metric's value.")
    threshold = models.FloatField(null=True)
    p_value = models.FloatField(null=True)
    effect = models.FloatField(null=True)
    alpha = models.FloatField(null=True, help_text="False-alarm probability that was spent.")
    summary = models.CharField(max_length=500, blank=True)
    details = models.JSONField(default=dict)
    cost_s = models.FloatField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["model", "-at"], name="evaluation_model_at"),
            models.Index(fields=["monitor", "-at"], name="evaluation_monitor_at"),
            models.Index(fields=["at"], name="evaluation_at"),
            # Time lines thin out a year of them by the index alone.
            models.Index(
                fields=["model", "kind", "at", "monitor", "version", "verdict"],
                name="evaluation_timeline",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version} {self.kind} {self.at}: {self.verdict}"


class QualityStream(models.Model):
    """Where the sequential tests of a quality monitor stand, for one version and one baseline:
    labels in order of arrival, never forgotten, never taken in twice.

    `reference` is the id of the reference whose labels are the baseline, 0 where the version's
    first labels are. `position` is the id of the last feedback row that was looked at, `n` how many
    labels were taken in.
    """

    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, related_name="streams")
    version = models.IntegerField()
    reference = models.BigIntegerField()
    n = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    state = models.JSONField(default=dict)
    alarmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["monitor", "version", "reference"], name="quality_stream_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.monitor_id} v{self.version}: {self.n}"


class Lease(models.Model):
    """Who may do what only one process may do; anybody takes it over when it has run out."""

    name = models.CharField(max_length=40, primary_key=True)
    owner = models.CharField(max_length=80)
    until_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.owner}"
