"""Kept predictions over REST."""

from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.serializers.predictions import PredictionDetailSerializer, PredictionSerializer
from monitoring.api.views.parameters import FROM, SEGMENT, TO, VERSION
from monitoring.errors import PredictionNotFound
from monitoring.models import Feedback, Prediction
from monitoring.windows import parse_time


class PredictionsView(ListAPIView[Prediction]):
    required_scopes = {"GET": "read"}
    serializer_class = PredictionSerializer

    @extend_schema(
        operation_id="predictions_list",
        tags=["predictions"],
        summary="List kept predictions, newest first",
        parameters=[
            OpenApiParameter("model", str, description="namespace/name"),
            VERSION,
            OpenApiParameter("label", str, description="Only predictions of this label."),
            SEGMENT,
            FROM,
            TO,
            OpenApiParameter("labelled", str, enum=["yes", "no"]),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        params.refuse_unknown(request.query_params, params.PREDICTIONS)
        return self.list(request)

    def get_queryset(self) -> QuerySet[Prediction]:
        query = self.request.query_params
        filters: dict[str, Any] = {
            name: query[name] for name in ("model", "label", "segment") if name in query
        }
        filters |= {
            lookup: parse_time(query[name], name)
            for name, lookup in (("from", "at__gte"), ("to", "at__lt"))
            if query.get(name)
        }
        if (version := params.parse_version(query.get("version"))) is not None:
            filters["version"] = version
        if labelled := params.parse_choice(query, "labelled", ("yes", "no")):
            filters["latest_label__isnull"] = labelled == "no"
        return _with_latest_label().filter(**filters)


class PredictionView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="predictions_show",
        tags=["predictions"],
        summary="Show one prediction and what was said about it",
        responses=PredictionDetailSerializer,
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        row = _with_latest_label().filter(id=prediction_id).first()
        if row is None:
            raise PredictionNotFound(
                f"No prediction {prediction_id} is kept.",
                details={"prediction_id": str(prediction_id)},
            )
        return Response(PredictionDetailSerializer(row).data)


def _with_latest_label() -> QuerySet[Prediction]:
    revisions = Feedback.objects.filter(prediction=OuterRef("pk")).order_by("-revision")
    latest = Subquery(revisions.values("label")[:1])
    return Prediction.objects.annotate(latest_label=latest)
