"""Inference endpoints over HTTP, by name only, and versions that stand for one."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access.drf import get_actor
from registry import queries, tasks
from registry.api.endpoint_shapes import (
    EndpointSerializer,
    NewEndpointSerializer,
    RemoteVersionSerializer,
    WaitSerializer,
)
from registry.api.operation_shapes import OperationSerializer
from registry.api.serializers import VersionDetailSerializer
from registry.api.views.common import MODEL, TAG, read
from registry.remote.endpoints import EndpointPlan
from registry.services import operations
from registry.services.endpoints import describe_act, get_endpoint
from registry.services.remote import register_endpoint
from registry.specs import OperationKind

ENDPOINT = [
    OpenApiParameter("owner", str, OpenApiParameter.PATH),
    OpenApiParameter("endpoint", str, OpenApiParameter.PATH),
]


class EndpointsView(APIView):
    """Make an endpoint."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Make an inference endpoint",
        description="Costs money at the service that runs it. Works in the background: follow the "
        "operation.",
        tags=TAG,
        request=NewEndpointSerializer,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = read(NewEndpointSerializer, request)
        name, namespace = wanted.pop("name"), wanted.pop("namespace")
        limit_s = wanted.pop("limit_s")
        return _start(
            request, "create", name, namespace, plan=EndpointPlan(**wanted), limit_s=limit_s
        )


class EndpointView(APIView):
    """One endpoint."""

    required_scopes = {"GET": "admin", "DELETE": "admin"}

    @extend_schema(
        summary="What an inference endpoint is and does now",
        tags=TAG,
        parameters=ENDPOINT,
        responses=EndpointSerializer,
    )
    def get(self, request: Request, owner: str, endpoint: str) -> Response:
        return Response(EndpointSerializer(get_endpoint(endpoint, owner)).data)

    @extend_schema(
        summary="Delete an inference endpoint for good",
        description="Versions that stand for it stay, and cannot answer any more.",
        tags=TAG,
        parameters=ENDPOINT,
        responses={202: OperationSerializer},
    )
    def delete(self, request: Request, owner: str, endpoint: str) -> Response:
        return _start(request, "delete", endpoint, owner)


class EndpointPauseView(APIView):
    """Stop an endpoint."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Pause an inference endpoint",
        tags=TAG,
        parameters=ENDPOINT,
        request=None,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request, owner: str, endpoint: str) -> Response:
        return _start(request, "pause", endpoint, owner)


class EndpointResumeView(APIView):
    """Start a paused endpoint."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Resume a paused inference endpoint",
        tags=TAG,
        parameters=ENDPOINT,
        request=WaitSerializer,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request, owner: str, endpoint: str) -> Response:
        limit_s = read(WaitSerializer, request)["limit_s"]
        return _start(request, "resume", endpoint, owner, limit_s=limit_s)


class EndpointWaitView(APIView):
    """Wait for an endpoint."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Wait in the background until an inference endpoint answers",
        tags=TAG,
        parameters=ENDPOINT,
        request=WaitSerializer,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request, owner: str, endpoint: str) -> Response:
        limit_s = read(WaitSerializer, request)["limit_s"]
        return _start(request, "wait", endpoint, owner, limit_s=limit_s)


class RemoteVersionsView(APIView):
    """Versions that stand for an endpoint."""

    required_scopes = {"POST": "push"}

    @extend_schema(
        summary="Make an inference endpoint this model's next version",
        description="The endpoint is asked once for its labels unless they are given.",
        tags=TAG,
        parameters=MODEL,
        request=RemoteVersionSerializer,
        responses={200: VersionDetailSerializer, 201: VersionDetailSerializer},
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        wanted, model = read(RemoteVersionSerializer, request), f"{namespace}/{name}"
        done = register_endpoint(
            model,
            wanted["endpoint"],
            namespace=wanted["namespace"],
            actor=get_actor(request),
            labels=wanted["labels"],
            note=wanted["note"],
        )
        row = queries.find_version(queries.find_model(model), done.version.number)
        status = 201 if done.is_new else 200
        return Response(VersionDetailSerializer(row).data, status=status)


def _start(request: Request, act: str, name: str, namespace: str, **options: Any) -> Response:
    title, parameters = describe_act(act, name, namespace, **options)
    operation = tasks.enqueue(
        OperationKind.ENDPOINT, title, actor=get_actor(request), parameters=parameters
    )
    row = operations.find_operation(operation)
    where = reverse("registry-operation", args=[operation])
    return Response(OperationSerializer(row).data, status=202, headers={"Location": where})
