"""Alerts, silences and channels as they go out, and as they come in."""

from typing import Any

from rest_framework import serializers

from monitoring.models import (
    Alert,
    Channel,
    ChannelKind,
    MonitorKind,
    Notification,
    Silence,
    Transition,
)
from monitoring.severity import Severity


class AlertSerializer(serializers.ModelSerializer[Alert]):
    class Meta:
        model = Alert
        fields = [
            "id",
            "model",
            "version",
            "kind",
            "state",
            "severity",
            "summary",
            "details",
            "evaluation",
            "opened_at",
            "seen_at",
            "fired_at",
            "resolved_at",
            "acknowledged_at",
            "acknowledged_by",
            "note",
        ]


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """`error` says why it is not sent, or not yet."""

    channel = serializers.CharField(source="channel.name")

    class Meta:
        model = Notification
        fields = ["id", "channel", "state", "n_attempts", "due_at", "sent_at", "error"]


class TransitionSerializer(serializers.ModelSerializer[Transition]):
    notifications = NotificationSerializer(many=True)

    class Meta:
        model = Transition
        fields = [
            "at",
            "from_state",
            "to_state",
            "severity",
            "severity_before",
            "is_told",
            "reason",
            "actor",
            "notifications",
        ]


class AlertDetailSerializer(AlertSerializer):
    """`transitions` are the oldest 200."""

    transitions = serializers.SerializerMethodField()

    class Meta(AlertSerializer.Meta):
        fields = [*AlertSerializer.Meta.fields, "transitions"]

    def get_transitions(self, alert: Alert) -> list[dict[str, Any]]:
        rows: Any = self.context["transitions"]
        shown: Any = TransitionSerializer(rows, many=True).data
        return list(shown)


class AcknowledgementSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class SilenceSerializer(serializers.ModelSerializer[Silence]):
    """Empty fields match everything."""

    class Meta:
        model = Silence
        fields = [
            "id",
            "model",
            "version",
            "kind",
            "until_at",
            "created_at",
            "created_by",
            "note",
        ]


class NewSilenceSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, allow_null=True, default=None
    )
    kind = serializers.ChoiceField(
        choices=MonitorKind.choices, required=False, default="", allow_blank=True
    )
    until_at = serializers.DateTimeField(help_text="At most 90 days ahead.")
    note = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """A channel without its config, which may hold secrets."""

    class Meta:
        model = Channel
        fields = [
            "id",
            "name",
            "kind",
            "models_matching",
            "min_severity",
            "is_enabled",
            "disabled_reason",
            "created_at",
            "created_by",
        ]


class NewChannelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    config = serializers.JSONField(write_only=True, help_text="What the kind needs; not shown.")
    models_matching = serializers.CharField(max_length=200, required=False, default="*")
    min_severity = serializers.ChoiceField(
        choices=list(Severity), required=False, default=Severity.WARNING
    )


class ChannelChangeSerializer(serializers.Serializer[Any]):
    """Only what is to change; the kind stays."""

    name = serializers.CharField(max_length=80, required=False)
    config = serializers.JSONField(write_only=True, required=False, help_text="Replaces it whole.")
    models_matching = serializers.CharField(max_length=200, required=False)
    min_severity = serializers.ChoiceField(choices=list(Severity), required=False)
    is_enabled = serializers.BooleanField(required=False)


class TrialSerializer(serializers.ModelSerializer[Notification]):
    class Meta:
        model = Notification
        fields = ["id", "state", "sent_at"]
