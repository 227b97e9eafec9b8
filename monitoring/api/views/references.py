"""References over REST: what a version's traffic is compared with."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from monitoring.api import params
from monitoring.api.serializers.references import (
    NewReferenceSerializer,
    ReferenceFileSerializer,
    ReferenceReasonSerializer,
    ReferenceSerializer,
)
from monitoring.api.views.parameters import VERSION
from monitoring.api.wanted import FILE_PARSERS, Wanted, read_wanted
from monitoring.models import Reference, ReferenceOrigin
from monitoring.references import services
from monitoring.references.queries import find, list_references

TAG = ["references"]


class ReferencesView(ListAPIView[Reference]):
    required_scopes = {"GET": "read", "POST": "promote"}
    serializer_class = ReferenceSerializer
    parser_classes = [*APIView.parser_classes, MultiPartParser, *FILE_PARSERS]

    def get_queryset(self) -> QuerySet[Reference]:
        query = self.request.query_params
        model = f"{self.kwargs['namespace']}/{self.kwargs['name']}"
        return list_references(model, params.parse_version(query.get("version")))

    @extend_schema(
        operation_id="references_list",
        tags=TAG,
        summary="A model's references, newest first",
        parameters=[VERSION],
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        params.refuse_unknown(request.query_params, params.REFERENCES)
        return self.list(request)

    @extend_schema(
        operation_id="references_create",
        tags=TAG,
        summary="Make a reference, of texts, of shipped statistics, or of coming predictions",
        request={
            "application/json": NewReferenceSerializer,
            "multipart/form-data": ReferenceFileSerializer,
            "text/csv": {"type": "string"},
            "application/x-ndjson": {"type": "string"},
            "text/plain": {"type": "string"},
        },
        responses={201: ReferenceSerializer},
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        """It is made in the background and becomes the active one when it is ready; the audit log
        says so. Texts may come as JSON, as a form's file, or as the body itself, with `version`,
        `text_column`, `label_column` and `note` in the query.
        """
        row = _ask(f"{namespace}/{name}", read_wanted(request), get_actor(request))
        return Response(ReferenceSerializer(row).data, status=201)


class ReferenceView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="references_show",
        tags=TAG,
        summary="One reference, and how far it is",
        responses=ReferenceSerializer,
    )
    def get(self, request: Request, namespace: str, name: str, reference_id: int) -> Response:
        return Response(ReferenceSerializer(find(f"{namespace}/{name}", reference_id)).data)


class ActivateReferenceView(APIView):
    required_scopes = {"POST": "promote"}

    @extend_schema(
        operation_id="references_activate",
        tags=TAG,
        summary="Compare the version's traffic with this reference from now on",
        request=ReferenceReasonSerializer,
        responses=ReferenceSerializer,
    )
    def post(self, request: Request, namespace: str, name: str, reference_id: int) -> Response:
        """The one before stays listed, inactive; the audit log says who did it, and why."""
        given = ReferenceReasonSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = services.activate(
            f"{namespace}/{name}",
            reference_id,
            actor=get_actor(request),
            reason=given.validated_data["reason"],
            now=timezone.now(),
        )
        return Response(ReferenceSerializer(row).data)


class CancelReferenceView(APIView):
    required_scopes = {"POST": "promote"}

    @extend_schema(
        operation_id="references_cancel",
        tags=TAG,
        summary="Stop a reference in the making",
        request=None,
        responses=ReferenceSerializer,
    )
    def post(self, request: Request, namespace: str, name: str, reference_id: int) -> Response:
        """Its texts are forgotten."""
        row = services.cancel(f"{namespace}/{name}", reference_id)
        return Response(ReferenceSerializer(row).data)


def _ask(model: str, wanted: Wanted, actor: str) -> Reference:
    now = timezone.now()
    if wanted.origin is ReferenceOrigin.ACCEPTED:
        return services.ask_with_accepted(
            model, wanted.version, wanted.n, actor=actor, note=wanted.note, now=now
        )
    if wanted.origin is ReferenceOrigin.SHIPPED:
        return services.ask_with_shipped(
            model, wanted.version, actor=actor, note=wanted.note, now=now
        )
    return services.ask_with_texts(
        model, wanted.version, wanted.rows, actor=actor, note=wanted.note, now=now
    )
