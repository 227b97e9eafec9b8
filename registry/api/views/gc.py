"""What nothing needs, over HTTP: told, or condemned and swept."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access.drf import get_actor
from registry.api.operation_shapes import OperationSerializer
from registry.api.views.common import TAG, read
from registry.services import operations, sweeping


class SweepSerializer(serializers.Serializer[Any]):
    """A dry run tells; else files condemned for `grace_hours` are swept."""

    dry_run = serializers.BooleanField(default=True)
    grace_hours = serializers.FloatField(min_value=0, max_value=8784, default=24.0)


class TotalSerializer(serializers.Serializer[Any]):
    n_blobs = serializers.IntegerField()
    n_bytes = serializers.IntegerField()


class SweptSerializer(serializers.Serializer[Any]):
    """Totals by reason. `waiting` files are condemned for too short a time, `due` ones could go."""

    dry_run = serializers.BooleanField()
    kept = serializers.DictField(child=TotalSerializer())
    spare = serializers.DictField(child=TotalSerializer())
    waiting = TotalSerializer()
    due = TotalSerializer()
    swept = TotalSerializer()
    n_commits = serializers.IntegerField()
    n_versions = serializers.IntegerField()
    n_views = serializers.IntegerField()


class SweepView(APIView):
    """Garbage collection."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Find, condemn and sweep files that nothing needs",
        description="A dry run (the default) answers at once and changes nothing. Otherwise the "
        "work goes on in the background: follow the operation.",
        tags=TAG,
        request=SweepSerializer,
        responses={200: SweptSerializer, 202: OperationSerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = read(SweepSerializer, request)
        grace = timedelta(hours=wanted["grace_hours"])
        if wanted["dry_run"]:
            return Response(sweeping.look(grace=grace).as_json())
        operation = sweeping.request_sweep(actor=get_actor(request), grace=grace)
        row = operations.find_operation(operation)
        where = reverse("registry-operation", args=[operation])
        return Response(OperationSerializer(row).data, status=202, headers={"Location": where})
