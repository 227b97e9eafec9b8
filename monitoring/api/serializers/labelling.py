"""The labelling queue and its plan as they go out."""

from typing import Any

from rest_framework import serializers


class AskedSerializer(serializers.Serializer[Any]):
    prediction_id = serializers.UUIDField()
    at = serializers.DateTimeField(help_text="When it was predicted.")
    version = serializers.IntegerField()
    segment = serializers.CharField()
    text = serializers.CharField(allow_null=True, help_text="Null where texts are not stored.")
    label = serializers.CharField(help_text="What was predicted.")  # type: ignore[assignment]
    score = serializers.FloatField()
    scores = serializers.DictField(child=serializers.FloatField())
    uncertainty = serializers.FloatField(help_text="From 0, sure, to 1, all labels equally likely.")
    probability = serializers.FloatField(
        help_text="How likely it was drawn; its label weighs the inverse."
    )
    known_label = serializers.CharField(
        allow_null=True, help_text="What was said of it before; null if nothing was."
    )


class QueueSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    n_open = serializers.IntegerField(help_text="At most 500; the oldest expire.")
    results = AskedSerializer(many=True, source="items")


class SkippedSerializer(serializers.Serializer[Any]):
    prediction_id = serializers.UUIDField()
    state = serializers.CharField()


class AuditPlanSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    per_hour = serializers.IntegerField(help_text="Labels asked for in an hour; 0 asks for none.")
    is_default = serializers.BooleanField(help_text="Whether the setting says how many.")
    uncertain_share = serializers.FloatField(
        source="rates.uncertain_share",
        help_text="Part of the draw that prefers uncertain answers; the rest is even.",
    )
    rate = serializers.FloatField(source="rates.rate", help_text="Draws per prediction now.")
    rated_at = serializers.DateTimeField(
        allow_null=True, help_text="When the rate was made; null before the next predictions."
    )


class AuditPlanChangeSerializer(serializers.Serializer[Any]):
    per_hour = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=1000, help_text="Null: the default."
    )
    uncertain_share = serializers.FloatField(required=False, min_value=0, max_value=0.9)
