"""Feedback as it comes in, and what came of it."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from monitoring.errors import MonitoringError
from monitoring.models import Source
from monitoring.specs import Outcome


class FeedbackItemSerializer(serializers.Serializer[Any]):
    prediction_id = serializers.UUIDField(help_text="The id that came with the prediction.")
    correct_label = serializers.CharField(
        help_text="A label of the version that predicted; where answers are no labels, 'right' or "
        "'wrong'."
    )
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


def show_results(outcomes: Sequence[Outcome | MonitoringError]) -> list[dict[str, Any]]:
    """One object for each item of a list: its outcome or its error, with its index."""
    return [{"index": i, **_show_result(outcome)} for i, outcome in enumerate(outcomes)]


def _show_result(outcome: Outcome | MonitoringError) -> dict[str, Any]:
    if isinstance(outcome, Outcome):
        return dict(OutcomeSerializer(outcome).data)
    error: dict[str, Any] = {"code": outcome.code, "message": outcome.message}
    return {"error": error | ({"details": outcome.details} if outcome.details else {})}
