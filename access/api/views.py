"""`/api/v1/keys`: make, list and revoke API keys."""

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.filters import OrderingFilter
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from access import services
from access.api.serializers import KeyRequestSerializer, KeySerializer, NewKeySerializer
from access.errors import KeyNotFound
from access.models import ApiKey
from access.scopes import Scope

ADMIN_ONLY = {"GET": Scope.ADMIN, "POST": Scope.ADMIN, "DELETE": Scope.ADMIN}


class KeyListView(GenericAPIView[ApiKey]):
    """All keys, revoked and expired ones too."""

    required_scopes = ADMIN_ONLY
    serializer_class = KeySerializer
    filter_backends = (OrderingFilter,)
    ordering_fields = ("created",)
    ordering = ("-created",)

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.select_related("owner")

    @extend_schema(summary="List the API keys", tags=["keys"], responses=KeySerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        summary="Make an API key",
        description="The answer holds the key itself, which is not stored and not shown again.",
        tags=["keys"],
        request=KeyRequestSerializer,
        responses={201: NewKeySerializer},
    )
    def post(self, request: Request) -> Response:
        asked = KeyRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        key, plaintext = services.create_key(**asked.validated_data, owner=_account_of(request))
        answer = {**KeySerializer(key).data, "key": plaintext}
        return Response(answer, status=status.HTTP_201_CREATED)


class KeyView(GenericAPIView[ApiKey]):
    """One key, named by its prefix."""

    required_scopes = ADMIN_ONLY
    serializer_class = KeySerializer
    queryset = ApiKey.objects.select_related("owner")
    lookup_field = "prefix"

    @extend_schema(summary="Read an API key", tags=["keys"])
    def get(self, request: Request, prefix: str) -> Response:
        key = self.get_queryset().filter(prefix=prefix).first()
        if key is None:
            raise KeyNotFound("no key has this prefix; list the keys to see their prefixes")
        return Response(self.get_serializer(key).data)

    @extend_schema(
        summary="Revoke an API key",
        description="For ever; again changes nothing.",
        tags=["keys"],
        responses={204: None},
    )
    def delete(self, request: Request, prefix: str) -> Response:
        services.revoke_key(prefix)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _account_of(request: Request) -> User | None:
    """Return the account that asks, None for a service: keys end with who made them."""
    return request.user if isinstance(request.user, User) else None
