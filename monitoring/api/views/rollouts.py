"""Rollouts over REST: start one, look at it, steer it."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from monitoring.api.serializers.rollouts import (
    NewRolloutSerializer,
    RolloutDetailSerializer,
    RolloutReasonSerializer,
    RolloutSerializer,
)
from monitoring.models import Rollout
from monitoring.rollouts import services
from monitoring.rollouts.queries import find_rollout, rollouts_of

TAG = ["rollouts"]
ACTS = ("pause", "resume", "abort", "cancel", "promote")


class RolloutsView(ListAPIView[Rollout]):
    required_scopes = {"GET": "read", "POST": "promote"}
    serializer_class = RolloutSerializer
    queryset = Rollout.objects.none()

    def get_queryset(self) -> QuerySet[Rollout]:
        return rollouts_of(f"{self.kwargs['namespace']}/{self.kwargs['name']}")

    @extend_schema(
        operation_id="rollouts_list", tags=TAG, summary="A model's rollouts, newest first"
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="rollouts_start",
        tags=TAG,
        summary="Give a version traffic step by step, as long as nothing speaks against it",
        request=NewRolloutSerializer,
        responses={201: RolloutDetailSerializer},
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        """The candidate is compared with the stable version over the same minutes by tests that
        may be looked at all the time: errors, latency, confidence, labels, a shadow's disagreement,
        feedback. One that is worse loses its traffic and is rejected with the evidence.
        """
        wanted = NewRolloutSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        rollout = services.start(
            f"{namespace}/{name}",
            wanted.validated_data["candidate"],
            steps=wanted.validated_data["steps"],
            options=wanted.validated_data["options"],
            actor=get_actor(request),
            now=timezone.now(),
        )
        return Response(RolloutDetailSerializer(rollout).data, status=201)


class RolloutView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="rollouts_show",
        tags=TAG,
        summary="One rollout with its evidence and decisions",
        responses=RolloutDetailSerializer,
    )
    def get(self, request: Request, namespace: str, name: str, rollout_id: UUID) -> Response:
        rollout = find_rollout(f"{namespace}/{name}", rollout_id)
        return Response(RolloutDetailSerializer(rollout).data)


class RolloutActView(APIView):
    required_scopes = {"POST": "promote"}

    @extend_schema(
        operation_id="rollouts_act",
        tags=TAG,
        summary="Pause, resume, abort, cancel or promote",
        parameters=[OpenApiParameter("act", str, OpenApiParameter.PATH, enum=list(ACTS))],
        request=RolloutReasonSerializer,
        responses=RolloutDetailSerializer,
    )
    def post(
        self, request: Request, namespace: str, name: str, rollout_id: UUID, act: str
    ) -> Response:
        """Abort takes the candidate's traffic away and rejects it; cancel only stops watching."""
        model = f"{namespace}/{name}"
        if act not in ACTS:
            raise Http404
        find_rollout(model, rollout_id)
        given = RolloutReasonSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        reason = given.validated_data["reason"]
        _act(rollout_id, act, reason=reason, actor=get_actor(request), now=timezone.now())
        return Response(RolloutDetailSerializer(find_rollout(model, rollout_id)).data)


def _act(id: UUID, act: str, *, reason: str, actor: str, now: datetime) -> None:
    if act == "pause":
        services.pause(id, reason=reason, actor=actor, now=now)
    elif act == "abort":
        services.abort(id, reason=reason, actor=actor, now=now)
    elif act == "resume":
        services.resume(id, actor=actor, now=now)
    elif act == "cancel":
        services.cancel(id, actor=actor, now=now)
    else:
        services.promote(id, actor=actor, now=now)
