"""Signatures, trusted keys and policies over HTTP. Private keys never come here."""

import json
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from registry import queries
from registry.api.views.common import MODEL, TAG, VERSION, read
from registry.models import MAX_TEXT_CHARS
from registry.names import MAX_NAME_CHARS
from registry.services import signing, trust
from registry.services.signing import SignatureStatus
from registry.signatures import MAX_PEM_CHARS

KEY = [OpenApiParameter("key", str, OpenApiParameter.PATH, description="Name or fingerprint.")]
SIGNER = [*VERSION, OpenApiParameter("fingerprint", str, OpenApiParameter.PATH)]


class SignatureSerializer(serializers.Serializer[Any]):
    """A signature as it counts now; `problem` says why it does not."""

    fingerprint = serializers.CharField()
    key = serializers.CharField(allow_null=True)
    status = serializers.CharField(help_text=", ".join(SignatureStatus))
    problem = serializers.CharField()
    added_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class BundleSerializer(serializers.Serializer[Any]):
    """A bundle that `model_signing sign key` made over exactly the version's files."""

    bundle = serializers.DictField()


class TrustedKeySerializer(serializers.Serializer[Any]):
    """A public key whose signatures count, for one model or, where that is null, for all."""

    name = serializers.CharField()
    fingerprint = serializers.CharField()
    pem = serializers.CharField()
    model = serializers.CharField(allow_null=True)
    added_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewTrustedKeySerializer(serializers.Serializer[Any]):
    """A public key (PEM, elliptic curve P-256, P-384 or P-521) to trust."""

    name = serializers.CharField(max_length=trust.MAX_KEY_NAME_CHARS)
    pem = serializers.CharField(max_length=MAX_PEM_CHARS)
    model = serializers.CharField(
        max_length=2 * MAX_NAME_CHARS + 1, required=False, allow_null=True, default=None
    )


class PolicySerializer(serializers.Serializer[Any]):
    """What a model asks of a version before it may be routed or loaded."""

    requires_signature = serializers.BooleanField()


class NewPolicySerializer(PolicySerializer):
    """A policy, and why."""

    reason = serializers.CharField(
        max_length=MAX_TEXT_CHARS, required=False, allow_blank=True, default=""
    )


class SignaturesView(APIView):
    """A version's signatures: few, so never cut into pages."""

    required_scopes = {"GET": "read", "POST": "push"}

    @extend_schema(
        summary="List a version's signatures, each checked now",
        tags=TAG,
        parameters=VERSION,
        responses=SignatureSerializer(many=True),
    )
    def get(self, request: Request, namespace: str, name: str, number: int) -> Response:
        found = signing.load_signatures(f"{namespace}/{name}", number)
        return Response(SignatureSerializer(found, many=True).data)

    @extend_schema(
        summary="Attach a signature that was made elsewhere",
        description="It must be by a trusted key, over exactly the version's files.",
        tags=TAG,
        parameters=VERSION,
        request=BundleSerializer,
        responses={201: SignatureSerializer},
    )
    def post(self, request: Request, namespace: str, name: str, number: int) -> Response:
        bundle = json.dumps(read(BundleSerializer, request)["bundle"])
        found = signing.attach(f"{namespace}/{name}", number, bundle, actor=get_actor(request))
        return Response(SignatureSerializer(found).data, status=201)


class SignatureBundleView(APIView):
    """One signature's bundle."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="A signature as a bundle, for `model_signing verify key`",
        tags=TAG,
        parameters=SIGNER,
        responses=BundleSerializer,
    )
    def get(
        self, request: Request, namespace: str, name: str, number: int, fingerprint: str
    ) -> Response:
        bundle = signing.load_bundle(f"{namespace}/{name}", number, fingerprint)
        return Response({"bundle": json.loads(bundle)})


class TrustedKeysView(APIView):
    """Trusted keys: few, so never cut into pages."""

    required_scopes = {"GET": "read", "POST": "admin"}

    @extend_schema(
        summary="List the trusted keys", tags=TAG, responses=TrustedKeySerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        return Response(TrustedKeySerializer(trust.load_trusted_keys(), many=True).data)

    @extend_schema(
        summary="Trust a public key",
        tags=TAG,
        request=NewTrustedKeySerializer,
        responses={201: TrustedKeySerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = read(NewTrustedKeySerializer, request)
        key = trust.trust_key(**wanted, actor=get_actor(request))
        return Response(TrustedKeySerializer(key).data, status=201)


class DistrustedSerializer(serializers.Serializer[Any]):
    """Routed versions that lack a signature now: they answer on, and cannot be loaded again."""

    unsigned = serializers.ListField(child=serializers.CharField())


class TrustedKeyView(APIView):
    """One trusted key."""

    required_scopes = {"DELETE": "admin"}

    @extend_schema(
        summary="No longer trust a key",
        tags=TAG,
        parameters=KEY,
        request=None,
        responses=DistrustedSerializer,
    )
    def delete(self, request: Request, key: str) -> Response:
        left = trust.distrust_key(key, actor=get_actor(request))
        return Response({"unsigned": list(left)})


class PolicyView(APIView):
    """A model's policy."""

    required_scopes = {"GET": "read", "PUT": "admin"}

    @extend_schema(
        summary="What a model asks of its versions",
        tags=TAG,
        parameters=MODEL,
        responses=PolicySerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        return Response(PolicySerializer(queries.find_model(f"{namespace}/{name}")).data)

    @extend_schema(
        summary="Say whether only signed versions may be routed",
        description="Refused while a routed version has no trusted signature.",
        tags=TAG,
        parameters=MODEL,
        request=NewPolicySerializer,
        responses=PolicySerializer,
    )
    def put(self, request: Request, namespace: str, name: str) -> Response:
        wanted = read(NewPolicySerializer, request)
        trust.set_policy(f"{namespace}/{name}", **wanted, actor=get_actor(request))
        return Response(PolicySerializer(wanted).data)
