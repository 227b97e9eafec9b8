"""Shapes of operations, and of the requests that start them."""

from typing import Any

from rest_framework import serializers

from registry.models import MAX_TEXT_CHARS, Operation
from registry.names import MAX_NAME_CHARS
from registry.sources.hub import MAX_REVISION_CHARS
from registry.specs import Pooling


class OperationSerializer(serializers.ModelSerializer[Operation]):
    """Long work: `done` and `total` are bytes (seconds, where an endpoint is waited for).

    `error_code` is empty unless it failed.
    """

    kind = serializers.CharField()
    state = serializers.CharField(help_text="queued, running, done or failed")
    parameters = serializers.DictField()
    result = serializers.DictField()

    class Meta:
        model = Operation
        fields = [
            "id",
            "kind",
            "title",
            "state",
            "done",
            "total",
            "message",
            "error_code",
            "result",
            "parameters",
            "actor",
            "created_at",
            "started_at",
            "heartbeat_at",
            "finished_at",
        ]


class ImportSerializer(serializers.Serializer[Any]):
    """What to import, and what to do with it."""

    source = serializers.CharField(  # type: ignore[assignment]
        max_length=MAX_NAME_CHARS, help_text="The model's name on the endpoint, like org/model."
    )
    revision = serializers.CharField(
        max_length=MAX_REVISION_CHARS, required=False, help_text="Branch, tag or commit."
    )
    endpoint = serializers.CharField(
        max_length=300, required=False, help_text="One of BELLWETHER_IMPORT_ENDPOINTS."
    )
    pooling = serializers.ChoiceField(choices=list(Pooling), required=False, allow_null=True)
    note = serializers.CharField(
        max_length=MAX_TEXT_CHARS, required=False, allow_blank=True, default=""
    )
    promote = serializers.BooleanField(required=False, default=False)
