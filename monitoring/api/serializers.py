"""The JSON of the monitor's API, and its description in the schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.errors import MonitoringError
from monitoring.models import Feedback, Prediction, Source
from monitoring.queries import GroupQuality
from monitoring.rollups import By
from monitoring.specs import Outcome


# As DRF writes times, so that a group's name equals the times around it.
def show_time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


TIMINGS = ("tokenize", "queue", "inference", "total")


class FeedbackItemSerializer(serializers.Serializer[Any]):
    prediction_id = serializers.UUIDField(help_text="The id that came with the prediction.")
    correct_label = serializers.CharField(help_text="A label of the version that predicted.")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # Field.source is another thing
        choices=Source.choices,
        required=False,
        help_text="A sampled audit, truth that came later, or a user's correction (default).",
    )


class OutcomeSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["recorded", "revised", "unchanged"])
    prediction_id = serializers.UUIDField()
    predicted_label = serializers.CharField()
    correct_label = serializers.CharField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    revision = serializers.IntegerField(help_text="1 for the first label, then counting up.")
    at = serializers.DateTimeField(help_text="When the label that counts arrived.")


class ItemErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField(required=False)


class ResultSerializer(OutcomeSerializer):
    """One item's outcome, or only `index` and `error`."""

    index = serializers.IntegerField()
    error = ItemErrorSerializer(required=False)


class ResultsSerializer(serializers.Serializer[Any]):
    results = ResultSerializer(many=True)


class RevisionSerializer(serializers.ModelSerializer[Feedback]):
    class Meta:
        model = Feedback
        fields = ["revision", "label", "source", "at"]


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    timing_ms = serializers.SerializerMethodField()
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


class EstimateSerializer(serializers.Serializer[Any]):
    """A rate and its 95 % interval; null where nothing is labelled."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class AverageSerializer(serializers.Serializer[Any]):
    precision = EstimateSerializer()
    recall = EstimateSerializer()
    f1 = EstimateSerializer()


class ClassQualitySerializer(AverageSerializer):
    label = serializers.CharField()  # type: ignore[assignment]
    support = serializers.IntegerField(help_text="Labelled items that truly are of this class.")
    n_predicted = serializers.IntegerField(help_text="Labelled items that were called this.")
    verdict = serializers.CharField(
        allow_null=True, help_text="INSUFFICIENT_DATA under 20 items, otherwise null."
    )


class ConfusionSerializer(serializers.Serializer[Any]):
    labels = serializers.ListField(child=serializers.CharField(), source="matrix.labels")
    counts = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        source="matrix.counts",
        help_text="counts[i][j] items truly are labels[i] and were predicted labels[j].",
    )


class GroupQualitySerializer(serializers.Serializer[Any]):
    n_predicted = serializers.IntegerField()
    n_labelled = serializers.IntegerField(source="quality.n_labelled")
    coverage = serializers.FloatField(
        allow_null=True, help_text="Labelled as a share of predicted; null without predictions."
    )
    verdict = serializers.CharField(
        source="quality.verdict",
        allow_null=True,
        help_text="INSUFFICIENT_DATA under 20 labelled items, otherwise null.",
    )
    accuracy = EstimateSerializer(source="quality.accuracy")
    macro = AverageSerializer(source="quality.macro")
    weighted = AverageSerializer(source="quality.weighted")
    classes = ClassQualitySerializer(many=True, source="quality.classes")
    confusion = ConfusionSerializer(source="quality")


class KeyedGroupSerializer(GroupQualitySerializer):
    group = serializers.SerializerMethodField(
        help_text="A version number, a segment, or when a stretch of time begins."
    )

    @extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
    def get_group(self, part: GroupQuality) -> int | str:
        group = part.group
        if isinstance(group, datetime):
            return show_time(group)
        return group if group is not None else ""


class WindowSerializer(serializers.Serializer[Any]):
    """[from, to): what was asked for, widened to whole minutes."""

    def get_fields(self) -> dict[str, Any]:
        # "from" cannot be an attribute.
        return {
            "from": serializers.DateTimeField(source="start"),
            "to": serializers.DateTimeField(source="end"),
        }


class QualitySerializer(GroupQualitySerializer):
    model = serializers.CharField(source="scope.model")
    version = serializers.IntegerField(source="scope.version", allow_null=True)
    segment = serializers.CharField(source="scope.segment", allow_null=True)
    label_source = serializers.CharField(source="scope.source", allow_null=True)
    by = serializers.ChoiceField(choices=list(By), source="scope.by")
    window = WindowSerializer(source="scope.window")
    groups = KeyedGroupSerializer(many=True, help_text="Empty unless `by` was given.")


class FlipSerializer(serializers.Serializer[Any]):
    """So many texts that the primary called `predicted` and the shadow `shadowed`."""

    predicted = serializers.CharField()
    shadowed = serializers.CharField()
    n = serializers.IntegerField()


class RecentFlipSerializer(serializers.Serializer[Any]):
    """An answer that the shadow gave another label; its prediction has the text, where kept."""

    prediction_id = serializers.UUIDField()
    at = serializers.DateTimeField()
    predicted = serializers.CharField()
    shadowed = serializers.CharField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """|Difference| of both probabilities of the primary's label; quantiles are upper bounds."""

    mean = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p90 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    """One shadow version beside one that answered."""

    shadow_version = serializers.IntegerField()
    primary_version = serializers.IntegerField()
    n_compared = serializers.IntegerField(help_text="Texts that both answered.")
    verdict = serializers.CharField(
        allow_null=True, help_text="INSUFFICIENT_DATA under 20 texts, otherwise null."
    )
    agreement = EstimateSerializer(help_text="The share of equal labels.")
    difference = DifferenceSerializer()
    latency_ratio = serializers.FloatField(
        allow_null=True, help_text="The shadow's seconds over the primary's; an upper bound."
    )
    n_failed = serializers.IntegerField(help_text="Copies that the shadow could not answer.")
    n_off = serializers.IntegerField(help_text="How often a process gave the shadow up.")
    flips = FlipSerializer(many=True, help_text="Most frequent first, at most 100.")
    recent_flips = RecentFlipSerializer(
        many=True, source="recent", help_text="Newest first, at most 20."
    )


class ShadowSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    window = WindowSerializer(help_text="What was asked for, widened to whole hours.")
    comparisons = ComparisonSerializer(many=True, help_text="Newest shadow version first.")


def show_results(outcomes: Sequence[Outcome | MonitoringError]) -> list[dict[str, Any]]:
    """One object for each item of a list: its outcome or its error, with its index."""
    return [{"index": i, **_show_result(outcome)} for i, outcome in enumerate(outcomes)]


def _show_result(outcome: Outcome | MonitoringError) -> dict[str, Any]:
    if isinstance(outcome, Outcome):
        return dict(OutcomeSerializer(outcome).data)
    error: dict[str, Any] = {"code": outcome.code, "message": outcome.message}
    return {"error": error | ({"details": outcome.details} if outcome.details else {})}
