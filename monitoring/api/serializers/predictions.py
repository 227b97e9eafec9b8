"""Kept predictions as they go out."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.api.serializers.answers import AnswerField
from monitoring.models import Feedback, Prediction

TIMINGS = ("tokenize", "queue", "inference", "total")


class RevisionSerializer(serializers.ModelSerializer[Feedback]):
    class Meta:
        model = Feedback
        fields = ["revision", "label", "source", "at"]


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    timing_ms = serializers.SerializerMethodField()
    answer = AnswerField()
    correct_label = serializers.CharField(
        source="latest_label",
        read_only=True,
        allow_null=True,
        help_text="The label that counts; null while nobody has said.",
    )

    class Meta:
        model = Prediction
        fields = [
            "id",
            "at",
            "model",
            "version",
            "task",
            "text",
            "label",
            "score",
            "scores",
            "answer",
            "n_tokens",
            "truncated",
            "segment",
            "request_id",
            "dialect",
            "route",
            "timing_ms",
            "correct_label",
        ]

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
    def get_timing_ms(self, row: Prediction) -> dict[str, float]:
        return {name: round(1000 * getattr(row, f"{name}_s"), 3) for name in TIMINGS}


class PredictionDetailSerializer(PredictionSerializer):
    feedback = RevisionSerializer(many=True, read_only=True)

    class Meta(PredictionSerializer.Meta):
        fields = [*PredictionSerializer.Meta.fields, "feedback"]
