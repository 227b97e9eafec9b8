"""Backups over HTTP: what was written, another one, and their verification."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access.drf import get_actor
from registry.api.operation_shapes import OperationSerializer
from registry.api.views.common import TAG, read
from registry.models import Backup
from registry.services import backups, operations

MAX_TARGET_CHARS = 40
MAX_SNAPSHOT_CHARS = 120


class BackupSerializer(serializers.ModelSerializer[Backup]):
    """A snapshot that was written completely. `n_new_blobs` and `n_new_bytes` were sent for it.

    `is_sound` is what its last verification found, null before the first.
    """

    class Meta:
        model = Backup
        fields = [
            "target",
            "snapshot",
            "n_blobs",
            "n_bytes",
            "n_new_blobs",
            "n_new_bytes",
            "created_at",
            "created_by",
            "verified_at",
            "is_sound",
        ]


class NewBackupSerializer(serializers.Serializer[Any]):
    """Where to: a target's name in the settings. `tags` are kept with the snapshot."""

    target = serializers.CharField(max_length=MAX_TARGET_CHARS)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=60), max_length=20, required=False, default=list
    )


class VerifyBackupSerializer(serializers.Serializer[Any]):
    """Which target to read again; only one snapshot of it, if named."""

    target = serializers.CharField(max_length=MAX_TARGET_CHARS)
    snapshot = serializers.CharField(
        max_length=MAX_SNAPSHOT_CHARS, required=False, allow_null=True, default=None
    )


class BackupsView(ListAPIView[Backup]):
    """Every backup made from here, newest first; a target's own list is the truth."""

    required_scopes = {"GET": "read", "POST": "admin"}
    serializer_class = BackupSerializer
    queryset = Backup.objects.none()

    def get_queryset(self) -> QuerySet[Backup]:
        target = self.request.query_params.get("target")
        rows = Backup.objects.all()
        return rows.filter(target=target) if target else rows

    @extend_schema(
        summary="List backups",
        tags=TAG,
        parameters=[OpenApiParameter("target", str, description="Only those at this target.")],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Back up the whole registry to a configured target",
        description="Works in the background: follow the operation. Only files that the target "
        "lacks are sent.",
        tags=TAG,
        request=NewBackupSerializer,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = read(NewBackupSerializer, request)
        operation = backups.request_backup(
            wanted["target"], actor=get_actor(request), tags=wanted["tags"]
        )
        return accepted(operation)


class BackupVerifyView(APIView):
    """Read what lies at a target again."""

    required_scopes = {"POST": "admin"}

    @extend_schema(
        summary="Read and hash every byte at a backup target",
        description="Works in the background; the operation's result says what was found.",
        tags=TAG,
        request=VerifyBackupSerializer,
        responses={202: OperationSerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = read(VerifyBackupSerializer, request)
        operation = backups.request_check(
            wanted["target"], wanted["snapshot"], actor=get_actor(request)
        )
        return accepted(operation)


def accepted(operation: UUID) -> Response:
    """202 with the operation and where to follow it."""
    row = operations.find_operation(operation)
    where = reverse("registry-operation", args=[operation])
    return Response(OperationSerializer(row).data, status=202, headers={"Location": where})
