"""A model's routes over HTTP: read whole, replaced whole."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from registry import queries, services
from registry.api.serializers import RoutesSerializer, WantedRoutesSerializer
from registry.api.views.common import MODEL, TAG, read
from registry.models import Route
from registry.routes import WantedRoute
from registry.specs import RouteMode, Stickiness


class RoutesView(APIView):
    """A model's routes: few, so never cut into pages."""

    required_scopes = {"GET": "read", "PUT": "promote"}

    @extend_schema(
        summary="A model's routes", tags=TAG, parameters=MODEL, responses=RoutesSerializer
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        return _routes_response(f"{namespace}/{name}")

    @extend_schema(
        summary="Let exactly these be a model's routes",
        description="The first live route is the stable one, further live ones are canaries; the "
        "weights of live routes sum to 100. A shadow sees copies of `weight` percent of the "
        "traffic and never answers. The same routes again change nothing.",
        tags=TAG,
        parameters=MODEL,
        request=WantedRoutesSerializer,
        responses=RoutesSerializer,
    )
    def put(self, request: Request, namespace: str, name: str) -> Response:
        model, wanted = f"{namespace}/{name}", read(WantedRoutesSerializer, request)
        services.set_routes(
            model,
            [
                WantedRoute(route["version"], RouteMode(route["mode"]), route["weight"])
                for route in wanted["routes"]
            ],
            actor=get_actor(request),
            reason=wanted["reason"],
            stickiness=Stickiness(wanted["stickiness"]) if wanted["stickiness"] else None,
            force=wanted["force"],
        )
        return _routes_response(model)


def _routes_response(name: str) -> Response:
    model = queries.find_model(name)
    rows = Route.objects.filter(model=model).select_related("version").order_by("position", "id")
    return Response(RoutesSerializer({"stickiness": model.stickiness, "routes": rows}).data)
