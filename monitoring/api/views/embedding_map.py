"""The map of embeddings over REST."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.serializers.embedding_map import EmbeddingMapSerializer, show_map
from monitoring.api.views.parameters import FROM, TO, VERSION
from monitoring.reporting.embedding_map import MOST_POINTS, load_map
from monitoring.windows import parse_window

_KNOWN = ("from", "to", "version", "limit")


class EmbeddingMapView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="embedding_map",
        tags=["drift"],
        summary="Show texts of the reference and of a window on a plane",
        parameters=[
            FROM,
            TO,
            VERSION,
            OpenApiParameter("limit", int, description="Points of either kind, 500 at most."),
        ],
        responses=EmbeddingMapSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        """The two leading principal components of the reference's embeddings, and where texts of
        the window lie on them. Of the live version unless one is named.
        """
        query = request.query_params
        params.refuse_unknown(query, _KNOWN)
        found = load_map(
            f"{namespace}/{name}",
            params.parse_version(query.get("version")),
            parse_window(query.get("from"), query.get("to"), now=timezone.now()),
            limit=params.parse_count(query, "limit", MOST_POINTS, at_most=MOST_POINTS),
        )
        return Response(show_map(found))
