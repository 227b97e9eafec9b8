"""Two sides of a model's quality as they go out."""

from typing import Any

from rest_framework import serializers

from monitoring.api.serializers.quality import EstimateSerializer, WindowSerializer


class QualityChangeSerializer(EstimateSerializer):
    """New less base, with its 95 % interval."""

    base = serializers.FloatField(allow_null=True)
    new = serializers.FloatField(allow_null=True)


class ClassComparisonSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    n_base = serializers.IntegerField()
    n_new = serializers.IntegerField()
    f1 = QualityChangeSerializer()
    p_value = serializers.FloatField()
    p_adjusted = serializers.FloatField(help_text="Holds over all classes together.")
    verdict = serializers.CharField(allow_null=True)


class SideSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(allow_null=True)
    segment = serializers.CharField(allow_null=True)
    label_source = serializers.CharField(source="source", allow_null=True)
    window = WindowSerializer()


class QualityComparisonSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(source="new.model")
    new = SideSerializer()
    base = SideSerializer()
    n_new = serializers.IntegerField(source="result.n_new")
    n_base = serializers.IntegerField(source="result.n_base")
    accuracy = QualityChangeSerializer(source="result.accuracy")
    p_value = serializers.FloatField(
        source="result.p_value", help_text="That both accuracies are equal: an exact test."
    )
    macro_f1 = QualityChangeSerializer(source="result.macro_f1")
    weighted_f1 = QualityChangeSerializer(source="result.weighted_f1")
    classes = ClassComparisonSerializer(many=True, source="result.classes")
    verdict = serializers.CharField(source="result.verdict", allow_null=True)
