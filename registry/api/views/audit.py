"""The audit log over HTTP: which version answered, and whether the log is as it was written."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from registry.api.views.common import MODEL, TAG
from registry.audit import ChainReport, Checkpoint
from registry.services import audit
from registry.timeline import parse_time, who_answered


class LoggedEventSerializer(serializers.Serializer[Any]):
    """An event of the audit log; `hash` seals it to the one before, empty for the oldest ones."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    version = serializers.IntegerField(source="number", allow_null=True)
    from_version = serializers.IntegerField(source="from_number", allow_null=True)
    to_version = serializers.IntegerField(source="to_number", allow_null=True)
    actor = serializers.CharField()
    reason = serializers.CharField()
    details = serializers.DictField()
    hash = serializers.CharField()


class AnswererSerializer(serializers.Serializer[Any]):
    """The stable version that answered at a time, since when, and by whose decision."""

    model = serializers.CharField()
    at = serializers.DateTimeField()
    version = serializers.IntegerField(source="number", allow_null=True)
    digest = serializers.CharField(allow_null=True)
    since = LoggedEventSerializer(allow_null=True)
    decision = LoggedEventSerializer(allow_null=True)


class FaultSerializer(serializers.Serializer[Any]):
    """Something that cannot be in an untouched log, at or just before the event `event`."""

    event = serializers.IntegerField(source="id")
    kind = serializers.CharField()
    message = serializers.CharField()


class CheckpointSerializer(serializers.Serializer[Any]):
    """The log's head at a time."""

    event = serializers.IntegerField(source="id")
    hash = serializers.CharField()
    n_events = serializers.IntegerField()
    at = serializers.DateTimeField()


class ChainSerializer(serializers.Serializer[Any]):
    """What reading the whole log has shown; `faults` are the first of `n_faults`."""

    is_sound = serializers.BooleanField()
    n_events = serializers.IntegerField()
    n_unsealed = serializers.IntegerField()
    head_event = serializers.IntegerField(source="head_id")
    head_hash = serializers.CharField()
    n_faults = serializers.IntegerField()
    faults = FaultSerializer(many=True)
    checkpoint = serializers.SerializerMethodField()

    def get_checkpoint(self, report: ChainReport) -> dict[str, Any] | None:
        checkpoint: Checkpoint | None = self.context["checkpoint"]
        return CheckpointSerializer(checkpoint).data if checkpoint else None


class AuditView(APIView):
    """Which version answered."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="Which version answered at a time, who decided that, and why",
        description="`since` is the swap from which on it answered, `decision` the promotion, "
        "roll-back or routing that asked for it. A deleted model is still told about.",
        tags=TAG,
        parameters=[
            *MODEL,
            OpenApiParameter("at", str, description="An ISO 8601 time; now if left out."),
        ],
        responses=AnswererSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        text = request.query_params.get("at", "")
        at = parse_time(text, "at") if text else timezone.now()
        return Response(AnswererSerializer(who_answered(f"{namespace}/{name}", at)).data)


class AuditVerifyView(APIView):
    """Whether the log is as it was written."""

    required_scopes = {"GET": "admin", "POST": "admin"}

    @extend_schema(
        summary="Check the whole audit log against its hashes and the last checkpoint",
        tags=TAG,
        responses=ChainSerializer,
    )
    def get(self, request: Request) -> Response:
        return _report()

    @extend_schema(
        summary="Check the whole audit log and, if it is sound, write a checkpoint",
        description="An unsound log is answered with 200 and its faults; its checkpoint stays.",
        tags=TAG,
        request=None,
        responses=ChainSerializer,
    )
    def post(self, request: Request) -> Response:
        answer = _report()
        if answer.data["is_sound"]:
            audit.write_checkpoint()
            return _report()
        return answer


def _report() -> Response:
    report, checkpoint = audit.verify_chain(), audit.load_checkpoint()
    return Response(ChainSerializer(report, context={"checkpoint": checkpoint}).data)
