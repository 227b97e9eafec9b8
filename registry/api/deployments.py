"""Shapes of how far replicas are with a model. No field shows a server path."""

from typing import Any

from rest_framework import serializers

from registry.deployment import Deployment


class ReplicaVersionSerializer(serializers.Serializer[Any]):
    """A version in one process: its state, since when, and what the steps to it showed."""

    version = serializers.IntegerField()
    digest = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    evidence = serializers.DictField()
    times = serializers.DictField(child=serializers.FloatField())


class ReplicaSerializer(serializers.Serializer[Any]):
    """A serving process; `prepared` and `applied` are generations of the model's routes. While the
    model is `asleep` nothing of it is in memory there, until somebody asks it.
    """

    id = serializers.CharField()
    ready = serializers.BooleanField(source="is_ready")
    alive = serializers.BooleanField(source="is_alive")
    heartbeat_at = serializers.DateTimeField()
    rss_bytes = serializers.IntegerField()
    prepared = serializers.IntegerField()
    applied = serializers.IntegerField()
    asleep = serializers.BooleanField(source="is_asleep")
    versions = ReplicaVersionSerializer(many=True)


class DeploymentSerializer(serializers.Serializer[Deployment]):
    """A model's routes on their way to the replicas."""

    model = serializers.CharField()
    generation = serializers.IntegerField()
    committed_generation = serializers.IntegerField()
    state = serializers.ChoiceField(["committed", "preparing", "failed"])
    reason = serializers.CharField(allow_blank=True)
    converged = serializers.BooleanField(source="has_converged")
    laggards = serializers.ListField(child=serializers.CharField())
    replicas = ReplicaSerializer(many=True)
