"""Quality over REST."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.serializers.quality import QualitySerializer
from monitoring.api.views.parameters import FROM, SEGMENT, TO, VERSION
from monitoring.models import Source
from monitoring.queries import load_quality
from monitoring.rollups import By


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
