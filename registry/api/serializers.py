"""Shapes of the registry's requests and answers. No field takes or shows a server path."""

from typing import Any

from rest_framework import serializers

from registry.guides import load_guide
from registry.manifests import parse_manifest
from registry.models import MAX_TEXT_CHARS, Event, Route, Version
from registry.names import MAX_NAME_CHARS
from registry.queries import load_generation, model_spec
from registry.routes import MAX_LIVE, MAX_SHADOWS
from registry.specs import RouteMode, Stickiness

Fields = dict[str, Any]


class NewModelSerializer(serializers.Serializer[Any]):
    """A model to make."""

    name = serializers.CharField(max_length=MAX_NAME_CHARS, help_text="namespace/name")
    description = serializers.CharField(
        max_length=MAX_TEXT_CHARS, required=False, allow_blank=True, default=""
    )


class ReasonSerializer(serializers.Serializer[Any]):
    """Why something is done; kept in its event."""

    reason = serializers.CharField(
        max_length=MAX_TEXT_CHARS, required=False, allow_blank=True, default=""
    )


class ModelSerializer(serializers.Serializer[Any]):
    """A model; the live version's facts are null before the first promotion. A pinned one stays in
    memory, whoever else needs the room.
    """

    name = serializers.CharField()
    description = serializers.CharField()
    created_at = serializers.DateTimeField()
    n_versions = serializers.IntegerField()
    pinned = serializers.BooleanField()
    live_version = serializers.IntegerField(allow_null=True)
    digest = serializers.CharField(allow_null=True)
    task = serializers.CharField(allow_null=True)
    labels = serializers.ListField(child=serializers.CharField(), allow_null=True)
    pooling = serializers.CharField(allow_null=True)

    def to_representation(self, instance: Any) -> Fields:
        spec = model_spec(instance)
        live = spec.live
        return {
            "name": spec.name,
            "description": spec.description,
            "created_at": _time(spec.created_at),
            "n_versions": spec.n_versions,
            "pinned": spec.is_pinned,
            "live_version": live.number if live else None,
            "digest": live.digest if live else None,
            "task": live.task if live else None,
            "labels": list(live.labels) if live else None,
            "pooling": live.pooling.value if live else None,
        }


class ModelDetailSerializer(ModelSerializer):
    """A model, how many times the registry's routes have changed in all, and in `guide` what a
    client must know to ask it: schemas of inputs, parameters (with defaults) and answers, and the
    limits. It is null while nothing of the model answers in this process; of a model that sleeps,
    `device` and `max_tokens` are null.
    """

    generation = serializers.IntegerField()
    guide = serializers.JSONField(allow_null=True)

    def to_representation(self, instance: Any) -> Fields:
        fields = super().to_representation(instance)
        return fields | {"generation": load_generation(), "guide": load_guide(fields["name"])}


class VersionSerializer(serializers.ModelSerializer[Version]):
    """A version without its files."""

    model = serializers.CharField(source="model.__str__")
    version = serializers.IntegerField(source="number")
    labels = serializers.ListField(child=serializers.CharField())
    is_live = serializers.SerializerMethodField()

    class Meta:
        model = Version
        fields = [
            "model",
            "version",
            "kind",
            "digest",
            "task",
            "labels",
            "pooling",
            "state",
            "is_live",
            "n_bytes",
            "n_files",
            "created_at",
            "created_by",
            "source",
            "note",
            "rejection",
        ]

    def get_is_live(self, row: Version) -> bool:
        return any(route.mode == "live" for route in row.routes.all())


class FileSerializer(serializers.Serializer[Any]):
    """One file of a version's manifest; `size` in bytes."""

    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()


class VersionDetailSerializer(VersionSerializer):
    """A version with its files, in the manifest's order."""

    files = serializers.SerializerMethodField()

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "files"]

    def get_files(self, row: Version) -> list[Fields]:
        files = parse_manifest(row.manifest, digest=row.digest).files
        return [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in files]


class DamageSerializer(serializers.Serializer[Any]):
    """A stored file that differs; `found` is null where it could not be read."""

    path = serializers.CharField()
    place = serializers.ChoiceField(["blob", "view", "record"])
    expected = serializers.CharField()
    found = serializers.CharField(allow_null=True)


class VerificationSerializer(serializers.Serializer[Any]):
    """What reading every stored byte again has shown; the lists are cut to the first few."""

    model = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.CharField()
    is_sound = serializers.BooleanField()
    missing = serializers.ListField(child=serializers.CharField())
    damaged = DamageSerializer(many=True)
    extra = serializers.ListField(child=serializers.CharField())


class RouteSerializer(serializers.ModelSerializer[Route]):
    """A share of the model's traffic."""

    version = serializers.IntegerField(source="version.number")
    digest = serializers.CharField(source="version.digest")

    class Meta:
        model = Route
        fields = ["version", "digest", "mode", "weight", "position"]


class RoutesSerializer(serializers.Serializer[Any]):
    """A model's routes, the stable one first, and what keeps a caller on one version."""

    stickiness = serializers.ChoiceField(choices=[each.value for each in Stickiness])
    routes = RouteSerializer(many=True)


class WantedRouteSerializer(serializers.Serializer[Any]):
    """A route to have; `weight` is percent of the live traffic, of a shadow the part copied."""

    version = serializers.IntegerField()
    mode = serializers.ChoiceField(
        choices=[mode.value for mode in RouteMode], required=False, default=RouteMode.LIVE.value
    )
    weight = serializers.IntegerField()


class WantedRoutesSerializer(ReasonSerializer):
    """All the routes a model shall have: the first live one is stable, the next are canaries."""

    routes = serializers.ListField(child=WantedRouteSerializer(), max_length=MAX_LIVE + MAX_SHADOWS)
    stickiness = serializers.ChoiceField(
        choices=[each.value for each in Stickiness], required=False, default=None, allow_null=True
    )
    force = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Route versions of another task or other labels too; needs a reason.",
    )


class EventSerializer(serializers.ModelSerializer[Event]):
    """Something that happened to the model."""

    version = serializers.IntegerField(source="number", allow_null=True)
    from_version = serializers.IntegerField(source="from_number", allow_null=True)
    to_version = serializers.IntegerField(source="to_number", allow_null=True)
    details = serializers.DictField()

    class Meta:
        model = Event
        fields = [
            "id",
            "at",
            "kind",
            "version",
            "from_version",
            "to_version",
            "actor",
            "reason",
            "details",
        ]


def _time(value: Any) -> Any:
    return serializers.DateTimeField().to_representation(value)
