"""How two versions differ, over HTTP."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from registry import contents
from registry.api.views.common import MODEL, TAG
from registry.diffs import VersionDiff
from registry.errors import InvalidField


class ChangeSerializer(serializers.Serializer[Any]):
    """One value; null where a version lacks it. Long values are cut."""

    name = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class ChangesSerializer(serializers.Serializer[Any]):
    """What only one version has, or what differs: whole counts, the first of each kind."""

    n_added = serializers.IntegerField()
    n_removed = serializers.IntegerField()
    n_changed = serializers.IntegerField()
    listed = ChangeSerializer(many=True)


class GoldenPairSerializer(serializers.Serializer[Any]):
    """One golden input's stored answers."""

    input = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)
    is_flip = serializers.BooleanField()


class DiffSerializer(serializers.Serializer[Any]):
    """Every way in which version `to_version` differs from `from_version`."""

    model = serializers.CharField()
    from_version = serializers.IntegerField()
    to_version = serializers.IntegerField()
    facts = ChangesSerializer()
    config = ChangesSerializer()
    labels = ChangesSerializer()
    tokenizer = ChangesSerializer()
    tokens = ChangesSerializer()
    metrics = ChangesSerializer()
    parameters = ChangesSerializer()
    tensors = ChangesSerializer()
    files = ChangesSerializer()
    has_same_weights = serializers.BooleanField()
    golden = GoldenPairSerializer(many=True)
    n_flips = serializers.IntegerField()


class DiffView(APIView):
    """Two versions side by side."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="How two versions of a model differ",
        tags=TAG,
        parameters=[
            *MODEL,
            OpenApiParameter("from", int, required=True, description="The earlier version."),
            OpenApiParameter("to", int, required=True, description="The later version."),
        ],
        responses=DiffSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        model = f"{namespace}/{name}"
        before, after = _number(request, "from"), _number(request, "to")
        diff = contents.load_diff(model, before, after)
        return Response(_as_json(model, before, after, diff))


def _number(request: Request, field: str) -> int:
    text = request.query_params.get(field, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise InvalidField(f"{field} must be the number of a version", details={"field": field})
    return int(text)


def _as_json(model: str, before: int, after: int, diff: VersionDiff) -> dict[str, Any]:
    names = {"model": model, "from_version": before, "to_version": after}
    parts = {name: ChangesSerializer(part).data for name, part in diff.parts().items()}
    golden = GoldenPairSerializer(diff.golden, many=True).data
    weights = {"has_same_weights": diff.has_same_weights, "n_flips": diff.n_flips}
    return names | parts | weights | {"golden": golden}
