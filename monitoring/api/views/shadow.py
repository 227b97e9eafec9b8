"""What shadows have shown, over REST."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.serializers.shadow import ShadowSerializer
from monitoring.api.views.parameters import FROM, TO
from monitoring.shadows import load_shadow
from monitoring.windows import parse_window


class ShadowView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="shadow",
        tags=["quality"],
        summary="What shadows have shown beside the versions that answered",
        parameters=[
            FROM,
            TO,
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
