"""Monitors and evaluations as they come in and go out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.evaluating.options import ABOUT, KINDS, parse_options, show_options
from monitoring.models import Evaluation, Monitor

NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}


class NewMonitorSerializer(serializers.Serializer[Any]):
    """A monitor to be; what is left out has its default."""

    model = serializers.CharField(max_length=200, help_text="namespace/name")
    name = serializers.CharField(help_text="Its name among the model's monitors.")
    kind = serializers.ChoiceField(choices=list(KINDS))
    version = serializers.IntegerField(
        required=False, allow_null=True, help_text="Null or left out: the live version."
    )
    detectors = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Of drift; empty: the defaults."
    )
    window_by = serializers.ChoiceField(choices=["count", "time"], required=False)
    window = serializers.IntegerField(required=False, help_text="Predictions, or seconds.")
    options = serializers.DictField(child=serializers.FloatField(), required=False)
    every_s = serializers.IntegerField(required=False)
    every_n = serializers.IntegerField(required=False)
    fires_after = serializers.IntegerField(required=False)
    resolves_after = serializers.IntegerField(required=False)
    cooldown_s = serializers.IntegerField(required=False)
    is_enabled = serializers.BooleanField(required=False)


class ChangedMonitorSerializer(NewMonitorSerializer):
    """What changes about a monitor; its model and kind never do."""

    name = serializers.CharField(required=False)
    model = None  # type: ignore[assignment]
    kind = None  # type: ignore[assignment]


class MonitorSerializer(serializers.ModelSerializer[Monitor]):
    options = serializers.SerializerMethodField(help_text="All that the kind has.")
    about = serializers.SerializerMethodField(help_text="What it asks.")
    last_verdict = serializers.CharField(
        allow_null=True, read_only=True, help_text="Null before its first evaluation."
    )
    last_summary = serializers.CharField(allow_null=True, read_only=True)
    last_evaluation = serializers.IntegerField(allow_null=True, read_only=True)

    class Meta:
        model = Monitor
        fields = [
            "id",
            "model",
            "version",
            "name",
            "kind",
            "about",
            "detectors",
            "window_by",
            "window",
            "options",
            "every_s",
            "every_n",
            "fires_after",
            "resolves_after",
            "cooldown_s",
            "is_enabled",
            "is_default",
            "created_by",
            "created_at",
            "evaluated_at",
            "last_verdict",
            "last_summary",
            "last_evaluation",
        ]

    def get_about(self, row: Monitor) -> str:
        return ABOUT[row.kind]

    @extend_schema_field(NUMBERS)
    def get_options(self, row: Monitor) -> dict[str, float]:
        return show_options(parse_options(row.kind, row.options))


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    monitor_name = serializers.CharField(
        allow_null=True, read_only=True, help_text="Null where the monitor is deleted."
    )
    details = serializers.JSONField(help_text="The numbers of its kind.")

    class Meta:
        model = Evaluation
        fields = [
            "id",
            "at",
            "monitor",
            "monitor_name",
            "model",
            "version",
            "kind",
            "verdict",
            "severity",
            "summary",
            "value",
            "threshold",
            "p_value",
            "effect",
            "alpha",
            "reference",
            "n_reference",
            "n_window",
            "window_start_at",
            "window_end_at",
            "details",
            "cost_s",
        ]
