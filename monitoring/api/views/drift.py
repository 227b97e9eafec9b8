"""Drift on request over REST."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api.drift_params import parse_drift
from monitoring.api.serializers.drift import DriftSerializer
from monitoring.api.views.parameters import FROM, TO, VERSION
from monitoring.evaluating.exploring import compare


class DriftView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="drift",
        tags=["drift"],
        summary="Compare a window of traffic with the reference or another window",
        parameters=[
            VERSION,
            FROM,
            TO,
            OpenApiParameter("last", int, description="The newest so many predictions instead."),
            OpenApiParameter("against_from", str, description="Compare with this window instead."),
            OpenApiParameter("against_to", str, description="Its end, itself not included."),
            OpenApiParameter("detectors", str, description="Names, separated by commas."),
            OpenApiParameter(
                "explain", str, enum=["yes", "no"], description="Name what differs most."
            ),
            OpenApiParameter("alpha", float, description="False-alarm probability; 0.01 if left."),
        ],
        responses=DriftSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        """Nothing of it is kept and nobody is alerted. Windows are widened to whole slots of five
        minutes, and to whole hours once they are older than a day.
        """
        query = parse_drift(f"{namespace}/{name}", request.query_params, now=timezone.now())
        return Response(DriftSerializer(compare(query)).data)
