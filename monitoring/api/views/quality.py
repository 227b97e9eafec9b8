"""Quality over REST."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.serializers.quality_comparison import QualityComparisonSerializer
from monitoring.api.serializers.quality_details import QualitySerializer, show_quality
from monitoring.api.views.parameters import FROM, SEGMENT, TO, VERSION
from monitoring.models import Source
from monitoring.queries import load_quality
from monitoring.reporting.comparisons import load_comparison
from monitoring.reporting.details import Detail, load_details
from monitoring.rollups import By

SOURCE = OpenApiParameter("source", str, enum=Source.values, description="Only such labels.")


class QualityView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="quality",
        tags=["quality"],
        summary="Judge a model by the labels that came back",
        parameters=[
            FROM,
            TO,
            VERSION,
            OpenApiParameter("by", str, enum=list(By), description="Judge each group as well."),
            SEGMENT,
            SOURCE,
            OpenApiParameter(
                "include", str, description=f"Some of {', '.join(Detail)}, separated by commas."
            ),
        ],
        responses=QualitySerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        """Accuracy, precision, recall and F1 with 95 % intervals, for predictions made in a window.

        Without `from` and `to` the window is the last 24 hours.
        """
        now, query = timezone.now(), request.query_params
        scope = params.parse_scope(f"{namespace}/{name}", query, now=now)
        include = params.parse_details(query.get("include"))
        report = load_quality(scope)
        return Response(show_quality(report, load_details(scope, include, now=now)))


class QualityComparisonView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="quality_compare",
        tags=["quality"],
        summary="Compare two versions, or two windows, by the labels that came back",
        parameters=[
            FROM,
            TO,
            VERSION,
            OpenApiParameter("with", int, description="The version to compare with."),
            OpenApiParameter("base_from", str, description="Begin of the base's own window."),
            OpenApiParameter("base_to", str, description="End of the base's own window."),
            SEGMENT,
            SOURCE,
        ],
        responses=QualityComparisonSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        """Differences with 95 % intervals, and exact tests that there is none.

        The base is the version `with`, or the window from `base_from` to `base_to`, or both.
        """
        new, base = params.parse_comparison(
            f"{namespace}/{name}", request.query_params, now=timezone.now()
        )
        return Response(QualityComparisonSerializer(load_comparison(new, base)).data)
