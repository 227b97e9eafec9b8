"""Quality as it goes out."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.api.serializers.common import show_time
from monitoring.queries import GroupQuality
from monitoring.rollups import By


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


class SourceQualitySerializer(serializers.Serializer[Any]):
    """What one source's labels show. An audit's are weighed by the inverse of their probability."""

    label_source = serializers.CharField(source="source", help_text="audit, delayed or user.")
    is_trusted = serializers.BooleanField(
        help_text="Whether decisions may rest on it: never on what users choose to correct."
    )
    n_labelled = serializers.IntegerField(source="quality.n_labelled")
    n_effective = serializers.FloatField(
        help_text="How many equally weighted labels would tell as much."
    )
    coverage = serializers.FloatField(allow_null=True)
    verdict = serializers.CharField(source="quality.verdict", allow_null=True)
    accuracy = EstimateSerializer(source="quality.accuracy")
    macro = AverageSerializer(source="quality.macro")
    weighted = AverageSerializer(source="quality.weighted")
    classes = ClassQualitySerializer(many=True, source="quality.classes")


class KeyedGroupSerializer(GroupQualitySerializer):
    group = serializers.SerializerMethodField(
        help_text="A version number, a segment, a source, or when a stretch of time begins."
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


class CountedQualitySerializer(GroupQualitySerializer):
    """What the counts alone say."""

    model = serializers.CharField(source="scope.model")
    version = serializers.IntegerField(source="scope.version", allow_null=True)
    segment = serializers.CharField(source="scope.segment", allow_null=True)
    label_source = serializers.CharField(source="scope.source", allow_null=True)
    by = serializers.ChoiceField(choices=list(By), source="scope.by")
    window = WindowSerializer(source="scope.window")
    groups = KeyedGroupSerializer(many=True, help_text="Empty unless `by` was given.")
    by_source = SourceQualitySerializer(many=True, help_text="Each source of labels on its own.")
