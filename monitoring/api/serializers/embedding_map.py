"""A map of embeddings as it goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from monitoring.api.serializers.common import show_time
from monitoring.reporting.embedding_map import EmbeddingMap, Kind, Point, Reason


class MapPointSerializer(serializers.Serializer[Any]):
    x = serializers.FloatField()
    y = serializers.FloatField()
    of = serializers.ChoiceField(choices=list(Kind))
    text = serializers.CharField(
        allow_null=True, help_text="Its first 240 characters; null where texts are not kept."
    )
    label = serializers.CharField(help_text="What was predicted.")  # type: ignore[assignment]
    score = serializers.FloatField(allow_null=True)
    actual = serializers.CharField(allow_null=True, help_text="What is true, where it is known.")
    prediction_id = serializers.UUIDField(allow_null=True, help_text="Null for the reference.")
    at = serializers.DateTimeField(allow_null=True)


class EmbeddingMapSerializer(serializers.Serializer[Any]):
    """Points of the reference first, then of the window."""

    def get_fields(self) -> dict[str, Any]:
        # "from" cannot be an attribute.
        return {
            "model": serializers.CharField(),
            "version": serializers.IntegerField(allow_null=True),
            "from": serializers.DateTimeField(source="window.start"),
            "to": serializers.DateTimeField(source="window.end"),
            "reference": serializers.IntegerField(
                allow_null=True, help_text="Whose rows span the plane; null: the window's do."
            ),
            "n_reference": serializers.SerializerMethodField(),
            "n_window": serializers.SerializerMethodField(),
            "explained": serializers.ListField(
                child=serializers.FloatField(),
                help_text="Each axis's share of the variance; empty without points.",
            ),
            "reason": serializers.ChoiceField(
                choices=list(Reason), allow_null=True, help_text="Why there are no points."
            ),
            "points": MapPointSerializer(many=True),
        }

    @extend_schema_field(int)
    def get_n_reference(self, found: EmbeddingMap) -> int:
        return found.count(Kind.REFERENCE)

    @extend_schema_field(int)
    def get_n_window(self, found: EmbeddingMap) -> int:
        return found.count(Kind.WINDOW)


def show_map(found: EmbeddingMap) -> dict[str, Any]:
    """A map, as EmbeddingMapSerializer describes it; by hand, for there are a thousand points."""
    return {
        "model": found.model,
        "version": found.version,
        "from": show_time(found.window.start),
        "to": show_time(found.window.end),
        "reference": found.reference,
        "n_reference": found.count(Kind.REFERENCE),
        "n_window": found.count(Kind.WINDOW),
        "explained": list(found.explained or ()),
        "reason": found.reason,
        "points": [_show(point) for point in found.points],
    }


def _show(point: Point) -> dict[str, Any]:
    shown = point._asdict()
    shown["at"] = show_time(point.at) if point.at else None
    return shown
