"""Long work that can be watched."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from registry import tasks
from registry.api.operation_shapes import OperationSerializer
from registry.api.views.common import TAG
from registry.models import Operation
from registry.services import operations

OPERATION = [OpenApiParameter("operation", UUID, OpenApiParameter.PATH)]


class OperationsView(ListAPIView[Operation]):
    """Every operation, newest first."""

    required_scopes = {"GET": "read"}
    serializer_class = OperationSerializer
    queryset = Operation.objects.all()

    @extend_schema(summary="List operations", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class OperationView(APIView):
    """One operation."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="How far an operation is",
        tags=TAG,
        parameters=OPERATION,
        responses=OperationSerializer,
    )
    def get(self, request: Request, operation: UUID) -> Response:
        return Response(OperationSerializer(operations.find_operation(operation)).data)


class CancelView(APIView):
    """End an operation."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Cancel an operation that waits or runs",
        description="Its work stops at the next step it reports; nothing half-done is kept.",
        tags=TAG,
        parameters=OPERATION,
        request=None,
        responses=OperationSerializer,
    )
    def post(self, request: Request, operation: UUID) -> Response:
        operations.cancel(operation, actor=get_actor(request))
        return Response(OperationSerializer(operations.find_operation(operation)).data)


class RetryView(APIView):
    """Try a failed operation again."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Try a failed operation again",
        description="An import goes on where it ended.",
        tags=TAG,
        parameters=OPERATION,
        request=None,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request, operation: UUID) -> Response:
        tasks.retry(operation)
        row = operations.find_operation(operation)
        return Response(OperationSerializer(row).data, status=202)
