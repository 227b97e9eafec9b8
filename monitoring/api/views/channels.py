"""Channels over REST."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from monitoring.alerting import channels
from monitoring.api import params
from monitoring.api.serializers.alerts import (
    ChannelChangeSerializer,
    ChannelSerializer,
    NewChannelSerializer,
    TrialSerializer,
)
from monitoring.models import Channel


class ChannelsView(GenericAPIView[Channel]):
    required_scopes = {"GET": "read", "POST": "admin"}
    serializer_class = ChannelSerializer

    def get_queryset(self) -> QuerySet[Channel]:
        return Channel.objects.all()

    @extend_schema(
        operation_id="channels_list",
        tags=["alerts"],
        summary="List the channels, newest first, without their configs",
        responses=ChannelSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        params.refuse_unknown(request.query_params, ("cursor", "limit"))
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="channels_make",
        tags=["alerts"],
        summary="Make a channel",
        request=NewChannelSerializer,
        responses={201: ChannelSerializer},
    )
    def post(self, request: Request) -> Response:
        """What `config` must hold depends on the kind; it is kept and never shown again."""
        given = NewChannelSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = channels.create_channel(
            **given.validated_data, actor=get_actor(request), now=timezone.now()
        )
        return Response(ChannelSerializer(row).data, status=201)


class ChannelView(APIView):
    required_scopes = {"GET": "read", "PATCH": "admin", "DELETE": "admin"}

    @extend_schema(
        operation_id="channels_show",
        tags=["alerts"],
        summary="Show a channel without its config",
        responses=ChannelSerializer,
    )
    def get(self, request: Request, channel_id: int) -> Response:
        return Response(ChannelSerializer(channels.get_channel(channel_id)).data)

    @extend_schema(
        operation_id="channels_change",
        tags=["alerts"],
        summary="Change a channel; enabling one forgets why it was disabled",
        request=ChannelChangeSerializer,
        responses=ChannelSerializer,
    )
    def patch(self, request: Request, channel_id: int) -> Response:
        given = ChannelChangeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = channels.change_channel(channel_id, given.validated_data)
        return Response(ChannelSerializer(row).data)

    @extend_schema(
        operation_id="channels_remove",
        tags=["alerts"],
        summary="Remove a channel and its notifications",
        responses={204: None},
    )
    def delete(self, request: Request, channel_id: int) -> Response:
        channels.delete_channel(channel_id)
        return Response(status=204)


class ChannelTestView(APIView):
    required_scopes = {"POST": "admin"}

    @extend_schema(
        operation_id="channels_test",
        tags=["alerts"],
        summary="Send a test over a channel now",
        request=None,
        responses=TrialSerializer,
    )
    def post(self, request: Request, channel_id: int) -> Response:
        """Answers within 10 seconds, when it is delivered; `delivery_failed` says why not."""
        return Response(TrialSerializer(channels.try_channel(channel_id, now=timezone.now())).data)
