"""Shadows' comparisons as they go out."""

from typing import Any

from rest_framework import serializers

from monitoring.api.serializers.quality import EstimateSerializer, WindowSerializer


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
