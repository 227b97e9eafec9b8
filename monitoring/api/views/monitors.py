"""Monitors and evaluations over REST."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from monitoring.api import params
from monitoring.api.drift_params import MONITORS, parse_evaluations
from monitoring.api.serializers.monitors import (
    ChangedMonitorSerializer,
    EvaluationSerializer,
    MonitorSerializer,
    NewMonitorSerializer,
)
from monitoring.api.views.parameters import FROM, TO, VERSION
from monitoring.errors import InvalidMonitor
from monitoring.evaluating import services
from monitoring.evaluating.evaluator import evaluate
from monitoring.evaluating.plans import invalid
from monitoring.evaluating.queries import evaluation_rows, find_monitor, monitor_rows
from monitoring.models import Evaluation, Monitor, MonitorKind
from monitoring.verdicts import Verdict

TAG = ["monitors"]
MODEL = OpenApiParameter("model", str, description="namespace/name")
KIND = OpenApiParameter("kind", str, enum=MonitorKind.values)


class MonitorsView(ListAPIView[Monitor]):
    required_scopes = {"GET": "read", "POST": "promote"}
    serializer_class = MonitorSerializer
    queryset = Monitor.objects.none()

    @extend_schema(
        operation_id="monitors_list",
        tags=TAG,
        summary="List monitors with their last verdict, newest first",
        parameters=[MODEL, KIND],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        params.refuse_unknown(request.query_params, MONITORS)
        return self.list(request)

    def get_queryset(self) -> QuerySet[Monitor]:
        query = self.request.query_params
        rows = monitor_rows(query.get("model"))
        kind = params.parse_choice(query, "kind", MonitorKind.values)
        return rows.filter(kind=kind) if kind else rows

    @extend_schema(
        operation_id="monitors_create",
        tags=TAG,
        summary="Add a monitor",
        request=NewMonitorSerializer,
        responses={201: MonitorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask a question of a model again and again. Every model with a live version has good
        monitors without it.
        """
        given = _object(request)
        model = given.pop("model", None)
        if not isinstance(model, str):
            raise invalid("model", "must be namespace/name")
        row = services.create(model, given, actor=get_actor(request), now=timezone.now())
        return Response(MonitorSerializer(find_monitor(row.pk)).data, status=201)


class MonitorView(APIView):
    required_scopes = {"GET": "read", "PATCH": "promote", "DELETE": "promote"}

    @extend_schema(
        operation_id="monitors_show",
        tags=TAG,
        summary="One monitor with its last verdict",
        responses=MonitorSerializer,
    )
    def get(self, request: Request, monitor_id: int) -> Response:
        return Response(MonitorSerializer(find_monitor(monitor_id)).data)

    @extend_schema(
        operation_id="monitors_change",
        tags=TAG,
        summary="Change a monitor, or switch it off",
        request=ChangedMonitorSerializer,
        responses=MonitorSerializer,
    )
    def patch(self, request: Request, monitor_id: int) -> Response:
        find_monitor(monitor_id)
        services.change(monitor_id, _object(request), actor=get_actor(request), now=timezone.now())
        return Response(MonitorSerializer(find_monitor(monitor_id)).data)

    @extend_schema(
        operation_id="monitors_delete",
        tags=TAG,
        summary="Delete a monitor; its evaluations stay",
        responses={204: None},
    )
    def delete(self, request: Request, monitor_id: int) -> Response:
        find_monitor(monitor_id)
        services.delete(monitor_id, actor=get_actor(request), now=timezone.now())
        return Response(status=204)


class MonitorEvaluateView(APIView):
    required_scopes = {"POST": "promote"}

    @extend_schema(
        operation_id="monitors_evaluate",
        tags=TAG,
        summary="Evaluate a monitor now",
        request=None,
        responses={201: EvaluationSerializer},
    )
    def post(self, request: Request, monitor_id: int) -> Response:
        """Counts as any evaluation: it is kept, and its alert is told."""
        find_monitor(monitor_id)
        row = evaluate(monitor_id, timezone.now())
        if row is None:
            raise InvalidMonitor(
                "The model has no live version to ask about: promote one, or give 'version'.",
                details={"field": "version"},
            )
        shown = evaluation_rows().get(pk=row.pk)
        return Response(EvaluationSerializer(shown).data, status=201)


class EvaluationsView(ListAPIView[Evaluation]):
    required_scopes = {"GET": "read"}
    serializer_class = EvaluationSerializer
    queryset = Evaluation.objects.none()

    @extend_schema(
        operation_id="evaluations_list",
        tags=TAG,
        summary="List evaluations, newest first",
        parameters=[
            MODEL,
            VERSION,
            KIND,
            OpenApiParameter("monitor", int, description="Only this monitor's."),
            OpenApiParameter("verdict", str, enum=list(Verdict)),
            FROM,
            TO,
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        parse_evaluations(request.query_params)
        return self.list(request)

    def get_queryset(self) -> QuerySet[Evaluation]:
        return evaluation_rows(**parse_evaluations(self.request.query_params))


def _object(request: Request) -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise invalid("body", "must be an object")
    return dict(request.data)
