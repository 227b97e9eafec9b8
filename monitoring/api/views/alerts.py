"""Alerts and silences over REST."""

from typing import Any
from uuid import UUID

from django.db.models import Case, IntegerField, Prefetch, QuerySet, Value, When
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.filters import OrderingFilter
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from monitoring.alerting.services import acknowledge
from monitoring.alerting.silences import silence, unsilence
from monitoring.api import params
from monitoring.api.serializers.alerts import (
    AcknowledgementSerializer,
    AlertDetailSerializer,
    AlertSerializer,
    NewSilenceSerializer,
    SilenceSerializer,
)
from monitoring.errors import AlertNotFound
from monitoring.models import Alert, AlertState, Notification, Silence, Transition
from monitoring.severity import Severity

_KNOWN = ("state", "model", "severity", "cursor", "limit")
_RANK = Case(
    When(state=AlertState.FIRING, then=Value(0)),
    When(state=AlertState.PENDING, then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)
# All that ended has one rank: within it the cursor counts.
_MOST_OF_A_RANK = 100_000
_SHOWN_TRANSITIONS = 200


class AlertsView(ListAPIView[Alert]):
    required_scopes = {"GET": "read"}
    serializer_class = AlertSerializer
    filter_backends = (OrderingFilter,)
    ordering_fields = ()
    ordering = ("rank", "-opened_at", "-id")

    @extend_schema(
        operation_id="alerts_list",
        tags=["alerts"],
        summary="List alerts: those that fire first, then pending ones, then what is over",
        filters=False,
        parameters=[
            OpenApiParameter("state", str, enum=AlertState.values),
            OpenApiParameter("model", str, description="namespace/name"),
            OpenApiParameter("severity", str, enum=list(Severity)),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        params.refuse_unknown(request.query_params, _KNOWN)
        paginator: Any = self.paginator
        paginator.offset_cutoff = _MOST_OF_A_RANK
        return self.list(request)

    def get_queryset(self) -> QuerySet[Alert]:
        query = self.request.query_params
        filters = {
            "state": params.parse_choice(query, "state", AlertState.values),
            "severity": params.parse_choice(query, "severity", list(Severity)),
            "model": query.get("model"),
        }
        wanted = {name: value for name, value in filters.items() if value}
        return Alert.objects.filter(**wanted).annotate(rank=_RANK)


class AlertView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="alerts_show",
        tags=["alerts"],
        summary="Show one alert, how it came about and who was told",
        responses=AlertDetailSerializer,
    )
    def get(self, request: Request, alert_id: UUID) -> Response:
        return Response(_shown(alert_id))


class AcknowledgeView(APIView):
    required_scopes = {"POST": "admin"}

    @extend_schema(
        operation_id="alerts_acknowledge",
        tags=["alerts"],
        summary="Say that somebody takes care of a firing alert",
        request=AcknowledgementSerializer,
        responses=AlertDetailSerializer,
    )
    def post(self, request: Request, alert_id: UUID) -> Response:
        """From now on people hear of it only when it gets critical, and when it ends."""
        given = AcknowledgementSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        acknowledge(
            alert_id,
            actor=get_actor(request),
            now=timezone.now(),
            note=given.validated_data["note"],
        )
        return Response(_shown(alert_id))


class SilencesView(GenericAPIView[Silence]):
    required_scopes = {"GET": "read", "POST": "admin"}
    serializer_class = SilenceSerializer

    def get_queryset(self) -> QuerySet[Silence]:
        return Silence.objects.filter(until_at__gt=timezone.now())

    @extend_schema(
        operation_id="silences_list",
        tags=["alerts"],
        summary="List the silences that hold",
        responses=SilenceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        params.refuse_unknown(request.query_params, ("cursor", "limit"))
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="silences_make",
        tags=["alerts"],
        summary="Tell nobody of matching alerts for a time",
        request=NewSilenceSerializer,
        responses={201: SilenceSerializer},
    )
    def post(self, request: Request) -> Response:
        """What fires meanwhile and still fires at its end is told then."""
        given = NewSilenceSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        until = fields.pop("until_at")
        row = silence(until=until, actor=get_actor(request), now=timezone.now(), **fields)
        return Response(SilenceSerializer(row).data, status=201)


class SilenceView(APIView):
    required_scopes = {"DELETE": "admin"}

    @extend_schema(
        operation_id="silences_end",
        tags=["alerts"],
        summary="End a silence: what it kept back and still fires is told now",
        responses={204: None},
    )
    def delete(self, request: Request, silence_id: int) -> Response:
        unsilence(silence_id, now=timezone.now())
        return Response(status=204)


def _shown(alert_id: UUID) -> Any:
    alert = Alert.objects.filter(id=alert_id).first()
    if alert is None:
        raise AlertNotFound(
            f"There is no alert {alert_id}; list the alerts to see their ids.",
            details={"id": str(alert_id)},
        )
    told = Notification.objects.select_related("channel").order_by("pk")
    transitions = (
        Transition.objects.filter(alert=alert)
        .order_by("pk")
        .prefetch_related(Prefetch("notifications", told))[:_SHOWN_TRANSITIONS]
    )
    return AlertDetailSerializer(alert, context={"transitions": transitions}).data
