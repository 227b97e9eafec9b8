"""How far the serving processes are with a model's routes."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from registry.api.deployments import DeploymentSerializer
from registry.api.serializers import ReasonSerializer
from registry.api.views.common import MODEL, TAG, read
from registry.deployment import load_deployment
from registry.services.swaps import retry_swap


class DeploymentView(APIView):
    """A model's routes on their way to the replicas."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="How far the replicas are with a model's routes",
        description="Routes are prepared by every replica, then committed: from then on they "
        "answer. `laggards` are replicas that do not answer with the committed routes (yet).",
        tags=TAG,
        parameters=MODEL,
        responses=DeploymentSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        return _response(f"{namespace}/{name}")


class RetryView(APIView):
    """Try what failed again."""

    required_scopes = {"POST": "promote"}

    @extend_schema(
        summary="Have every replica try the desired routes again",
        description="After a version could not be loaded or failed its golden inputs, and the "
        "cause is mended. What is served goes on meanwhile.",
        tags=TAG,
        parameters=MODEL,
        request=ReasonSerializer,
        responses={202: DeploymentSerializer},
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        model, reason = f"{namespace}/{name}", read(ReasonSerializer, request)["reason"]
        retry_swap(model, actor=get_actor(request), reason=reason)
        return _response(model, status=202)


def _response(model: str, *, status: int = 200) -> Response:
    return Response(DeploymentSerializer(load_deployment(model)).data, status=status)
