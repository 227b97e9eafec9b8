"""Feedback, predictions and quality over REST."""

from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.giving import give, give_one
from monitoring.api.serializers import (
    FeedbackItemSerializer,
    OutcomeSerializer,
    PredictionDetailSerializer,
    PredictionSerializer,
    QualitySerializer,
    ResultsSerializer,
    ShadowSerializer,
    show_results,
)
from monitoring.errors import PredictionNotFound
from monitoring.models import Feedback, Prediction, Source
from monitoring.queries import load_quality
from monitoring.rollups import By
from monitoring.shadows import load_shadow
from monitoring.specs import parse_items
from monitoring.windows import parse_time, parse_window

_VERSION = OpenApiParameter("version", int, description="Only this version.")
_SEGMENT = OpenApiParameter("segment", str, description="Only this segment of the traffic.")
_FROM = OpenApiParameter("from", str, description="ISO 8601 time; UTC unless it names a zone.")
_TO = OpenApiParameter("to", str, description="ISO 8601 time, itself not included.")


class FeedbackView(APIView):
    required_scopes = {"POST": "feedback"}

    @extend_schema(
        operation_id="feedback",
        tags=["feedback"],
        summary="Say what is true of one prediction, or of up to 1,000",
        request=PolymorphicProxySerializer(
            "Feedback",
            [FeedbackItemSerializer, FeedbackItemSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        responses=PolymorphicProxySerializer(
            "FeedbackOutcome",
            [OutcomeSerializer, ResultsSerializer],
            resource_type_field_name=None,
        ),
    )
    def post(self, request: Request) -> Response:
        """Join true labels to predictions.

        Sending the same label again changes nothing; another label becomes the one that counts. A
        list is answered with one result an item, in order; an item's error leaves the others alone.
        """
        if isinstance(request.data, list):
            return Response({"results": show_results(give(request, parse_items(request.data)))})
        return Response(OutcomeSerializer(give_one(request)).data)


class PredictionsView(ListAPIView[Prediction]):
    required_scopes = {"GET": "read"}
    serializer_class = PredictionSerializer

    @extend_schema(
        operation_id="predictions_list",
        tags=["predictions"],
        summary="List kept predictions, newest first",
        parameters=[
            OpenApiParameter("model", str, description="namespace/name"),
            _VERSION,
            OpenApiParameter("label", str, description="Only predictions of this label."),
            _SEGMENT,
            _FROM,
            _TO,
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


class QualityView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="quality",
        tags=["quality"],
        summary="Judge a model by the labels that came back",
        parameters=[
            _FROM,
            _TO,
            _VERSION,
            OpenApiParameter("by", str, enum=list(By), description="Judge each group as well."),
            _SEGMENT,
            OpenApiParameter("source", str, enum=Source.values, description="Only such labels."),
        ],
        responses=QualitySerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        """Accuracy, precision, recall and F1 with 95 % intervals, for predictions made in a window.

        Without `from` and `to` the window is the last 24 hours.
        """
        scope = params.parse_scope(f"{namespace}/{name}", request.query_params, now=timezone.now())
        return Response(QualitySerializer(load_quality(scope)).data)


class ShadowView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="shadow",
        tags=["quality"],
        summary="What shadows have shown beside the versions that answered",
        parameters=[
            _FROM,
            _TO,
            OpenApiParameter("version", int, description="Only this shadow version."),
        ],
        responses=ShadowSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        """Agreement with its 95 % interval, flips, differences and the price of a pass.

        Without `from` and `to` the window is the last 24 hours; it is widened to whole hours.
        """
        query = request.query_params
        params.refuse_unknown(query, params.SHADOW)
        window = parse_window(query.get("from"), query.get("to"), now=timezone.now())
        version = params.parse_version(query.get("version"))
        report = load_shadow(f"{namespace}/{name}", window, version=version)
        return Response(ShadowSerializer(report).data)


def _with_latest_label() -> QuerySet[Prediction]:
    revisions = Feedback.objects.filter(prediction=OuterRef("pk")).order_by("-revision")
    latest = Subquery(revisions.values("label")[:1])
    return Prediction.objects.annotate(latest_label=latest)
