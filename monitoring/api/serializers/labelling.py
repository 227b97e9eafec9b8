"""The labelling queue and its plan as they go out."""

from typing import Any

from rest_framework import serializers

from monitoring.api.serializers.answers import AnswerField
from monitoring.labelling.turns import DEFAULT_LIMIT, MOST_TAKEN


class AskedSerializer(serializers.Serializer[Any]):
    prediction_id = serializers.UUIDField()
    at = serializers.DateTimeField(help_text="When it was predicted.")
    version = serializers.IntegerField()
    segment = serializers.CharField()
    text = serializers.CharField(allow_null=True, help_text="Null where texts are not stored.")
    label = serializers.CharField(help_text="What was predicted.")  # type: ignore[assignment]
    score = serializers.FloatField()
    scores = serializers.DictField(child=serializers.FloatField())
    answer = AnswerField()
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


class TakeSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(help_text="namespace/name")
    limit = serializers.IntegerField(
        required=False, default=DEFAULT_LIMIT, min_value=0, max_value=MOST_TAKEN
    )


class TurnSerializer(serializers.Serializer[Any]):
    """It does not say whether somebody labelled it before: second opinions are blind."""

    prediction_id = serializers.UUIDField()
    at = serializers.DateTimeField(help_text="When it was predicted.")
    version = serializers.IntegerField()
    segment = serializers.CharField()
    text = serializers.CharField()
    label = serializers.CharField(help_text="What was predicted.")  # type: ignore[assignment]
    score = serializers.FloatField()
    scores = serializers.DictField(child=serializers.FloatField())
    answer = AnswerField()
    labels = serializers.ListField(
        child=serializers.CharField(), help_text="To choose from, in the version's order."
    )


class TurnsSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    n_open = serializers.IntegerField(help_text="Items that wait for a first label.")
    n_without_text = serializers.IntegerField(
        help_text="Those among them whose text is not stored; they are not handed out."
    )
    held_until = serializers.DateTimeField(help_text="Nobody else gets them before.")
    results = TurnSerializer(many=True, source="items")


class LetGoSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_TAKEN)


class LetGoneSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField(help_text="How many were held, and are free now.")


class OpinionSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(max_length=256)  # type: ignore[assignment]


class GivenSerializer(serializers.Serializer[Any]):
    prediction_id = serializers.UUIDField()
    label = serializers.CharField()  # type: ignore[assignment]
    status = serializers.ChoiceField(
        choices=["recorded", "revised", "unchanged", "second_opinion"],
        help_text="A second opinion is kept beside the first, which counts.",
    )
    predicted_label = serializers.CharField()


class RateSerializer(serializers.Serializer[Any]):
    value = serializers.FloatField()
    low = serializers.FloatField(help_text="Of a 95 % interval.")
    high = serializers.FloatField()


class AgreementSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField(help_text="Texts that two people labelled, the newest 2,000.")
    n_agreed = serializers.IntegerField()
    raw = RateSerializer(allow_null=True, help_text="The share of equal labels (Wilson).")
    kappa = RateSerializer(allow_null=True, help_text="Cohen's: what goes beyond chance.")
    verdict = serializers.CharField(allow_null=True, help_text="INSUFFICIENT_DATA under 20 texts.")
