"""Names for states of a model's files over HTTP: sealing and aliases."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from registry import queries, services
from registry.api.serializers import VersionDetailSerializer
from registry.api.views.common import MODEL, TAG, read
from registry.models import MAX_TEXT_CHARS
from registry.names import MAX_REF_CHARS
from registry.refs import MAIN, load_refs
from registry.specs import Pooling

ALIAS = [*MODEL, OpenApiParameter("alias", str, OpenApiParameter.PATH)]


class RefSerializer(serializers.Serializer[Any]):
    """A name and the commit (40 hex digits) that it means."""

    kind = serializers.ChoiceField(["branch", "tag", "alias"])
    name = serializers.CharField()
    commit = serializers.CharField()


class SealSerializer(serializers.Serializer[Any]):
    """What to seal; `number` asks for version N, else it is the next."""

    revision = serializers.CharField(max_length=MAX_REF_CHARS, default=MAIN)
    number = serializers.IntegerField(min_value=1, max_value=999_999_999, required=False)
    note = serializers.CharField(
        max_length=MAX_TEXT_CHARS, required=False, allow_blank=True, default=""
    )
    pooling = serializers.ChoiceField(list(Pooling), required=False)


class AliasSerializer(serializers.Serializer[Any]):
    """The version that the alias shall mean: `v3`, `3`, a tag or another alias."""

    revision = serializers.CharField(max_length=MAX_REF_CHARS)


class RefsView(APIView):
    """A model's branches, tags and aliases: few, so never cut into pages."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="List a model's branches, tags and aliases",
        description="`prod` is the version that answers, `previous` the one a roll-back returns "
        "to; `vN` is version N.",
        tags=TAG,
        parameters=MODEL,
        responses=RefSerializer(many=True),
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        refs = load_refs(queries.find_model(f"{namespace}/{name}"))
        return Response(RefSerializer(refs, many=True).data)


class SealView(APIView):
    """Make a revision a version."""

    required_scopes = {"POST": "push"}

    @extend_schema(
        summary="Seal a revision as an immutable version",
        description="Files that are a version already change nothing (200 instead of 201).",
        tags=TAG,
        parameters=MODEL,
        request=SealSerializer,
        responses={200: VersionDetailSerializer, 201: VersionDetailSerializer},
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        model, wanted = f"{namespace}/{name}", read(SealSerializer, request)
        done = services.seal(
            model,
            wanted["revision"],
            actor=get_actor(request),
            number=wanted.get("number"),
            note=wanted["note"],
            pooling=wanted.get("pooling"),
        )
        row = queries.find_version(queries.find_model(model), done.version.number)
        return Response(VersionDetailSerializer(row).data, status=201 if done.is_new else 200)


class AliasView(APIView):
    """A name that is moved between versions."""

    required_scopes = {"PUT": "promote", "DELETE": "promote"}

    @extend_schema(
        summary="Let an alias mean a version",
        tags=TAG,
        parameters=ALIAS,
        request=AliasSerializer,
        responses=RefSerializer(many=True),
    )
    def put(self, request: Request, namespace: str, name: str, alias: str) -> Response:
        model, wanted = f"{namespace}/{name}", read(AliasSerializer, request)
        services.set_alias(model, alias, wanted["revision"], actor=get_actor(request))
        return Response(RefSerializer(load_refs(queries.find_model(model)), many=True).data)

    @extend_schema(summary="Forget an alias", tags=TAG, parameters=ALIAS, responses={204: None})
    def delete(self, request: Request, namespace: str, name: str, alias: str) -> Response:
        services.delete_alias(f"{namespace}/{name}", alias, actor=get_actor(request))
        return Response(status=204)
