"""References as they come in and go out."""

from typing import Any

from rest_framework import serializers

from monitoring.models import Reference, ReferenceOrigin


class ReferenceSerializer(serializers.ModelSerializer[Reference]):
    summary = serializers.DictField(help_text="Labels, quality and sizes, once it is ready.")
    error = serializers.SerializerMethodField(
        help_text="Why it failed, as code and message; null where it did not."
    )

    class Meta:
        model = Reference
        fields = [
            "id",
            "model",
            "version",
            "origin",
            "state",
            "is_active",
            "note",
            "n_wanted",
            "n_done",
            "n",
            "n_labelled",
            "summary",
            "error",
            "created_by",
            "created_at",
            "ready_at",
        ]

    def get_error(self, row: Reference) -> dict[str, str] | None:
        if not row.error_code:
            return None
        return {"code": row.error_code, "message": row.error_message}


class LabelledTextSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    label = serializers.JSONField(  # type: ignore[assignment]
        required=False, help_text="A label, its number in the version's order from 0, or null."
    )


class NewReferenceSerializer(serializers.Serializer[Any]):
    """What `read_wanted` reads; here for the documentation."""

    version = serializers.IntegerField(required=False, help_text="Else the live one.")
    origin = serializers.ChoiceField(choices=ReferenceOrigin.choices, default="texts")
    texts = serializers.ListField(child=serializers.CharField(), required=False)
    rows = LabelledTextSerializer(many=True, required=False)
    n = serializers.IntegerField(
        required=False, help_text="With origin accepted: how many predictions are collected."
    )
    note = serializers.CharField(required=False, max_length=500)


class ReferenceFileSerializer(serializers.Serializer[Any]):
    """A form with a file of texts."""

    file = serializers.FileField(help_text=".jsonl, .csv or .txt, perhaps with .gz after.")
    version = serializers.IntegerField(required=False)
    text_column = serializers.CharField(required=False)
    label_column = serializers.CharField(required=False)
    note = serializers.CharField(required=False)


class ReferenceReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=500, default="", help_text="Kept in the log."
    )
