"""Rollouts as they come in and go out."""

from typing import Any

from rest_framework import serializers

from monitoring.models import Rollout, RolloutEvent
from monitoring.rollouts.moves import summary
from monitoring.rollouts.options import DEFAULT_STEPS


class NewRolloutSerializer(serializers.Serializer[Any]):
    candidate = serializers.IntegerField(min_value=1, help_text="Number of the version.")
    steps = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100),
        default=list(DEFAULT_STEPS),
        help_text="Weights in percent, rising to 100.",
    )
    options = serializers.JSONField(
        default=dict,
        help_text="min_requests, min_step_s, max_step_s, alpha, beta, metrics, required, margins, "
        "bake_s, rolls_back; each has a default.",
    )


class RolloutReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500, default="By hand.", help_text="Kept with it.")


class RolloutEventSerializer(serializers.ModelSerializer[RolloutEvent]):
    class Meta:
        model = RolloutEvent
        fields = ["at", "decision", "weight", "reason", "actor", "evidence"]


class RolloutSerializer(serializers.ModelSerializer[Rollout]):
    weight = serializers.SerializerMethodField(help_text="Percent of the traffic at this step.")

    class Meta:
        model = Rollout
        fields = [
            "id",
            "model",
            "candidate",
            "stable",
            "state",
            "steps",
            "step",
            "weight",
            "reason",
            "created_by",
            "created_at",
            "step_started_at",
            "analysed_at",
            "bake_until",
            "finished_at",
        ]

    def get_weight(self, row: Rollout) -> int:
        weight: int = row.steps[row.step]
        return weight


class RolloutDetailSerializer(RolloutSerializer):
    evidence = serializers.SerializerMethodField(
        help_text="By question: both rates, their sizes, and the e-values for worse and for fine."
    )
    events = RolloutEventSerializer(many=True)

    class Meta(RolloutSerializer.Meta):
        fields = [*RolloutSerializer.Meta.fields, "options", "evidence", "events"]

    def get_evidence(self, row: Rollout) -> dict[str, Any]:
        return summary(row)
