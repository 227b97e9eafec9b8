"""Asking for labels over REST: the queue, passing on an item, and how many are asked for."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.serializers.labelling import (
    AuditPlanChangeSerializer,
    AuditPlanSerializer,
    QueueSerializer,
    SkippedSerializer,
)
from monitoring.api.views.opinions import labeller_of
from monitoring.errors import InvalidAuditPlan, InvalidFilter
from monitoring.labelling.opinions import pass_over
from monitoring.labelling.plans import change_plan, load_plan
from monitoring.labelling.queue import DEFAULT_LIMIT, MOST_LISTED, load_queue
from monitoring.models import AuditState
from registry import queries as registry

_KNOWN = ("model", "limit", "offset")
_MOST_OFFSET = 10_000


class AuditQueueView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="audit_queue",
        tags=["feedback"],
        summary="List predictions that a label is asked for",
        parameters=[
            OpenApiParameter("model", str, required=True, description="namespace/name"),
            OpenApiParameter("limit", int, description=f"At most {MOST_LISTED}."),
            OpenApiParameter("offset", int),
        ],
        responses=QueueSerializer,
    )
    def get(self, request: Request) -> Response:
        """Those first whose label says most. Label one by feedback with `"source": "audit"`.

        Predictions are drawn at random with a known probability, uncertain ones more often; labels
        are weighed by its inverse, so that they speak for all predictions.
        """
        query = request.query_params
        params.refuse_unknown(query, _KNOWN)
        if not query.get("model"):
            raise InvalidFilter(
                "'model' must name the model, as namespace/name.", details={"field": "model"}
            )
        queue = load_queue(
            query["model"],
            now=timezone.now(),
            offset=params.parse_count(query, "offset", 0, at_most=_MOST_OFFSET),
            limit=params.parse_count(query, "limit", DEFAULT_LIMIT, at_most=MOST_LISTED),
        )
        return Response(QueueSerializer(queue).data)


class AuditSkipView(APIView):
    required_scopes = {"POST": "feedback"}

    @extend_schema(
        operation_id="audit_skip",
        tags=["feedback"],
        summary="Take a prediction off the queue without a label",
        request=None,
        responses=SkippedSerializer,
    )
    def post(self, request: Request, prediction_id: UUID) -> Response:
        """For what nobody can label: passing on what is hard makes the model look better."""
        pass_over(prediction_id, labeller=labeller_of(request), now=timezone.now())
        answer = {"prediction_id": prediction_id, "state": AuditState.SKIPPED.value}
        return Response(SkippedSerializer(answer).data)


class AuditPlanView(APIView):
    required_scopes = {"GET": "read", "PUT": "promote"}

    @extend_schema(
        operation_id="audit_plan",
        tags=["feedback"],
        summary="Show how many labels of a model are asked for",
        responses=AuditPlanSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        model = f"{namespace}/{name}"
        registry.load_model(model)
        return Response(AuditPlanSerializer(load_plan(model)).data)

    @extend_schema(
        operation_id="audit_plan_change",
        tags=["feedback"],
        summary="Set how many labels of a model are asked for",
        request=AuditPlanChangeSerializer,
        responses=AuditPlanSerializer,
    )
    def put(self, request: Request, namespace: str, name: str) -> Response:
        model = f"{namespace}/{name}"
        registry.load_model(model)
        if not isinstance(request.data, dict):
            raise InvalidAuditPlan(
                'A plan must be an object like {"per_hour": 20}.', details={"field": ""}
            )
        return Response(AuditPlanSerializer(change_plan(model, dict(request.data))).data)
