"""`/api/v1/keys`: make, list and revoke API keys; and tickets for people's browsers."""

from typing import cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.filters import OrderingFilter
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access import services
from access.api.serializers import (
    KeyRequestSerializer,
    KeySerializer,
    NewKeySerializer,
    TicketSerializer,
)
from access.drf import HasScope, get_facts
from access.errors import KeyNotFound, MissingKey
from access.models import ApiKey
from access.persons import scopes_of
from access.scopes import Scope
from access.tickets import LIFE_S, make_ticket

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


class SignedIn(HasScope):
    """Asks for a session besides the scope: a key needs no ticket, it has itself."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if get_facts(request) is None:
            raise MissingKey("sign in at /admin/ first: only a session can ask for a ticket")
        return super().has_permission(request, view)


class TicketView(GenericAPIView[ApiKey]):
    """A key of five minutes for the browser that asks."""

    authentication_classes = (SessionAuthentication,)
    permission_classes = (SignedIn,)
    required_scopes = {"POST": Scope.PREDICT}
    serializer_class = TicketSerializer

    @extend_schema(
        summary="Make a ticket",
        description="For pages of the admin: lets the person who is signed in predict, read and "
        "give feedback on both planes for five minutes. Needs the session and its CSRF token.",
        tags=["keys"],
        request=None,
        responses=TicketSerializer,
    )
    def post(self, request: Request) -> Response:
        user = cast(User, request.user)
        ticket = make_ticket(user.pk, user.get_username(), scopes_of(user))
        # Nobody on the way may keep it.
        return Response({"ticket": ticket, "life_s": LIFE_S}, headers={"Cache-Control": "no-store"})


def _account_of(request: Request) -> User | None:
    """Return the account that asks, None for a service: keys end with who made them."""
    return request.user if isinstance(request.user, User) else None
