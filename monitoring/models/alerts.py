"""Alerts, their transitions, and the outbox that brings them to people."""

import uuid

from django.db import models

from monitoring.severity import Severity

SEVERITIES = [(severity.value, severity.value) for severity in Severity]


class AlertState(models.TextChoices):
    """Where an alert is; an inactive one is taken up again, a resolved one never."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    INACTIVE = "inactive", "inactive (it never fired)"


class Alert(models.Model):
    """One incident of one kind at one version; segments and classes are its details."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.CharField(max_length=200)
    version = models.IntegerField()
    kind = models.CharField(max_length=12)
    state = models.CharField(max_length=8, choices=AlertState.choices)
    severity = models.CharField(max_length=8, choices=SEVERITIES)
    summary = models.CharField(max_length=500)
    details = models.JSONField(default=dict)
    tallies = models.JSONField(default=dict, help_text="Each source's evaluations in a row.")
    evaluation = models.BigIntegerField(null=True, help_text="Id of the newest evaluation.")
    n_bad = models.PositiveIntegerField(default=0, help_text="Bad evaluations in a row.")
    n_good = models.PositiveIntegerField(default=0, help_text="Good evaluations in a row.")
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="When it was last evaluated.")
    fired_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [models.Index(fields=["model", "-opened_at"], name="alert_model")]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "version", "kind"],
                condition=models.Q(state__in=["inactive", "pending", "firing"]),
                name="alert_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.version} {self.kind}: {self.state}"


class Transition(models.Model):
    """One change of an alert's state or severity: what is told, and when it was decided."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="transitions")
    at = models.DateTimeField()
    from_state = models.CharField(max_length=8, choices=AlertState.choices)
    to_state = models.CharField(max_length=8, choices=AlertState.choices)
    severity = models.CharField(max_length=8, choices=SEVERITIES)
    severity_before = models.CharField(max_length=8, choices=SEVERITIES, blank=True)
    is_told = models.BooleanField(default=False, help_text="Whether channels hear of it.")
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=200, blank=True, help_text="Empty: the evaluator.")
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["alert", "at"], name="transition_alert")]

    def __str__(self) -> str:
        return f"{self.from_state} → {self.to_state}"


class Silence(models.Model):
    """Nobody is told of matching alerts until then; empty fields match everything."""

    model = models.CharField(max_length=200, blank=True)
    version = models.IntegerField(null=True, blank=True)
    kind = models.CharField(max_length=12, blank=True)
    until_at = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    note = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.model or 'all models'} until {self.until_at}"


class ChannelKind(models.TextChoices):
    """How a channel brings its notifications."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    APPRISE = "apprise"
    ALERTMANAGER = "alertmanager"
    MEMORY = "memory", "memory (for tests)"


class Channel(models.Model):
    """Where notifications go; `config` may hold secrets and is never shown again."""

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=12, choices=ChannelKind.choices)
    config = models.JSONField(default=dict)
    models_matching = models.CharField(
        max_length=200, default="*", help_text="Pattern of namespace/name, such as acme/*."
    )
    min_severity = models.CharField(max_length=8, choices=SEVERITIES, default=Severity.WARNING)
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=500, blank=True)
    synced_at = models.DateTimeField(
        null=True, blank=True, help_text="When what still fires was last sent again."
    )
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class NotificationState(models.TextChoices):
    """How far a notification is; dead ones were tried often enough, withheld ones never sent."""

    QUEUED = "queued"
    SENT = "sent"
    WITHHELD = "withheld"
    DEAD = "dead"


class Notification(models.Model):
    """One transition on its way to one channel; made in the transition's own transaction."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="notifications")
    transition = models.ForeignKey(
        Transition, null=True, on_delete=models.CASCADE, related_name="notifications"
    )
    state = models.CharField(max_length=8, choices=NotificationState.choices)
    is_test = models.BooleanField(default=False)
    was_silenced = models.BooleanField(default=False)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(
        max_length=500, blank=True, help_text="Why it is not sent, or not yet."
    )
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state="queued"),
                name="notification_due",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["channel", "transition"], name="notification_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel_id}: {self.state}"
