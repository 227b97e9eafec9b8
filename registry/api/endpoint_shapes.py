"""Shapes of inference endpoints. None takes a URL: only a command may say where to ask."""

from typing import Any

from rest_framework import serializers

from registry.facts import MAX_LABEL_CHARS, MAX_LABELS
from registry.models import MAX_TEXT_CHARS
from registry.remote.endpoints import EndpointPlan
from registry.services.endpoints import MAX_LIMIT_S

MAX_ENDPOINT_CHARS = 64
MAX_WORD_CHARS = 200
_DEFAULTS = EndpointPlan(repository="")


def _word(name: str) -> Any:
    return serializers.CharField(
        max_length=MAX_WORD_CHARS, required=False, default=getattr(_DEFAULTS, name)
    )


class EndpointSerializer(serializers.Serializer[Any]):
    """An endpoint as the service that runs it describes it now; `url` is empty until it has one."""

    namespace = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    url = serializers.CharField()
    repository = serializers.CharField()
    revision = serializers.CharField()
    task = serializers.CharField()
    kind = serializers.CharField()


class WaitSerializer(serializers.Serializer[Any]):
    """How long to wait until the endpoint answers, in seconds; 0 does not wait."""

    limit_s = serializers.FloatField(min_value=0, max_value=MAX_LIMIT_S, required=False, default=0)


class NewEndpointSerializer(WaitSerializer):
    """What to make an endpoint of, in the service's own words."""

    namespace = serializers.CharField(max_length=MAX_ENDPOINT_CHARS)
    name = serializers.CharField(max_length=MAX_ENDPOINT_CHARS)
    repository = serializers.CharField(max_length=MAX_WORD_CHARS)
    revision = serializers.CharField(max_length=MAX_WORD_CHARS, required=False, default=None)
    framework = _word("framework")
    vendor = _word("vendor")
    region = _word("region")
    accelerator = _word("accelerator")
    instance_type = _word("instance_type")
    instance_size = _word("instance_size")
    type = _word("type")
    min_replica = serializers.IntegerField(min_value=0, max_value=100, required=False, default=0)
    max_replica = serializers.IntegerField(min_value=1, max_value=100, required=False, default=1)
    scale_to_zero_min = serializers.IntegerField(
        min_value=1, max_value=10_000, required=False, default=15, allow_null=True
    )


class RemoteVersionSerializer(serializers.Serializer[Any]):
    """Which endpoint becomes a version; `labels` are asked of it unless given."""

    namespace = serializers.CharField(max_length=MAX_ENDPOINT_CHARS)
    endpoint = serializers.CharField(max_length=MAX_ENDPOINT_CHARS)
    labels = serializers.ListField(
        child=serializers.CharField(max_length=MAX_LABEL_CHARS),
        max_length=MAX_LABELS,
        required=False,
        default=list,
    )
    note = serializers.CharField(
        max_length=MAX_TEXT_CHARS, required=False, allow_blank=True, default=""
    )
