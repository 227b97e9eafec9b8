"""Models, versions and events over HTTP. Every change goes through services."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from registry import queries, services
from registry.api.serializers import (
    EventSerializer,
    ModelDetailSerializer,
    ModelSerializer,
    NewModelSerializer,
    ReasonSerializer,
    VerificationSerializer,
    VersionDetailSerializer,
    VersionSerializer,
)
from registry.api.views.common import MODEL, TAG, VERSION, ListOfModel, read
from registry.models import Event, RegisteredModel, Version
from registry.services.upkeep import VerifyResult, report


class ModelsView(ListAPIView[RegisteredModel]):
    """Every model; a new one is empty until files are registered under its name."""

    required_scopes = {"GET": "read", "POST": "push"}
    serializer_class = ModelSerializer
    queryset = RegisteredModel.objects.none()

    def get_queryset(self) -> QuerySet[RegisteredModel]:
        rows: QuerySet[RegisteredModel] = queries.model_rows()
        return rows

    @extend_schema(summary="List models", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Make an empty model",
        tags=TAG,
        request=NewModelSerializer,
        responses={201: ModelDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = read(NewModelSerializer, request)
        model = services.create_model(
            wanted["name"], actor=get_actor(request), description=wanted["description"]
        )
        row = queries.model_rows().get(pk=model.pk)
        return Response(ModelDetailSerializer(row).data, status=201)


class ModelView(APIView):
    """One model."""

    required_scopes = {"GET": "read", "DELETE": "admin"}

    @extend_schema(
        summary="One model and its live version",
        tags=TAG,
        parameters=MODEL,
        responses=ModelDetailSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        model = queries.find_model(f"{namespace}/{name}")
        return Response(ModelDetailSerializer(queries.model_rows().get(pk=model.pk)).data)

    @extend_schema(
        summary="Delete a model with all its versions",
        description="Refused while one of its versions is routed, unless `force` is true and a "
        "`reason` is given. What was kept about it is erased soon after: predictions, labels, "
        "references, monitors, alerts. Only a backup brings the files back; the events stay.",
        tags=TAG,
        parameters=[
            *MODEL,
            OpenApiParameter("reason", str, description="Kept with the event."),
            OpenApiParameter("force", bool, description="Also while it answers requests."),
        ],
        responses={204: None},
    )
    def delete(self, request: Request, namespace: str, name: str) -> Response:
        query = request.query_params
        services.delete_model(
            f"{namespace}/{name}",
            actor=get_actor(request),
            reason=query.get("reason", ""),
            force=query.get("force", "").lower() in ("1", "true", "yes"),
        )
        return Response(status=204)


class VersionsView(ListOfModel[Version]):
    """A model's versions, newest first."""

    serializer_class = VersionSerializer
    queryset = Version.objects.none()

    def get_queryset(self) -> QuerySet[Version]:
        rows = Version.objects.filter(model=self.find_model()).defer("manifest")
        return rows.select_related("model").prefetch_related("routes")

    @extend_schema(summary="List a model's versions", tags=TAG, parameters=MODEL)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class VersionView(APIView):
    """One version."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="One version and its files",
        tags=TAG,
        parameters=VERSION,
        responses=VersionDetailSerializer,
    )
    def get(self, request: Request, namespace: str, name: str, number: int) -> Response:
        return _version_response(f"{namespace}/{name}", number)


class _ReasonedAct(APIView):
    """One act on a version, for a reason that its event keeps."""

    required_scopes = {"POST": "promote"}
    act: Callable[..., object]

    @extend_schema(
        tags=TAG, parameters=VERSION, request=ReasonSerializer, responses=VersionDetailSerializer
    )
    def post(self, request: Request, namespace: str, name: str, number: int) -> Response:
        model, reason = f"{namespace}/{name}", read(ReasonSerializer, request)["reason"]
        type(self).act(model, number, actor=get_actor(request), reason=reason)
        return _version_response(model, number)


@extend_schema_view(
    post=extend_schema(
        summary="Let this version answer all requests",
        description="Promoting the live version again changes nothing.",
    )
)
class PromoteView(_ReasonedAct):
    """Let a version answer."""

    act = staticmethod(services.promote)


@extend_schema_view(post=extend_schema(summary="Take this version out of use for good"))
class RetireView(_ReasonedAct):
    """Take a version out of use."""

    act = staticmethod(services.retire)


@extend_schema_view(
    post=extend_schema(
        summary="Let a rejected version be routed again",
        description="A rollout that aborts rejects its candidate. The reason is required.",
    )
)
class ReinstateView(_ReasonedAct):
    """Let a rejected version be routed again."""

    act = staticmethod(services.reinstate)


class VerifyView(APIView):
    """Read a version's stored bytes again."""

    required_scopes = {"POST": "promote"}

    @extend_schema(
        summary="Read and hash every stored byte of this version",
        description="Takes as long as reading its files does. A version that is not sound is "
        "marked damaged; what is being served goes on.",
        tags=TAG,
        parameters=VERSION,
        request=None,
        responses=VerificationSerializer,
    )
    def post(self, request: Request, namespace: str, name: str, number: int) -> Response:
        result = services.verify(f"{namespace}/{name}", number, actor=get_actor(request))
        return Response(VerificationSerializer(_verification(result)).data)


class RollbackView(APIView):
    """Return to the version that was live before."""

    required_scopes = {"POST": "promote"}

    @extend_schema(
        summary="Return to the version that was live before",
        description="A second rollback goes one further back. Retired and damaged versions are "
        "passed over.",
        tags=TAG,
        parameters=MODEL,
        request=ReasonSerializer,
        responses=VersionDetailSerializer,
    )
    def post(self, request: Request, namespace: str, name: str) -> Response:
        model, reason = f"{namespace}/{name}", read(ReasonSerializer, request)["reason"]
        version = services.rollback(model, actor=get_actor(request), reason=reason)
        return _version_response(model, version.number)


class _PinAct(APIView):
    """Pins a model, or not."""

    required_scopes = {"POST": "promote"}
    is_pinned: bool

    def post(self, request: Request, namespace: str, name: str) -> Response:
        model, reason = f"{namespace}/{name}", read(ReasonSerializer, request)["reason"]
        services.set_pinned(
            model, is_pinned=self.is_pinned, actor=get_actor(request), reason=reason
        )
        return _model_response(model)


_pinning = partial(
    extend_schema, tags=TAG, parameters=MODEL, request=ReasonSerializer, responses=ModelSerializer
)


@extend_schema_view(
    post=_pinning(
        summary="Keep a model in memory, whoever else needs the room",
        description="Every process loads it at its start and never unloads it for another.",
    )
)
class PinView(_PinAct):
    """Pin a model."""

    is_pinned = True


@extend_schema_view(post=_pinning(summary="Let a model make room for others again"))
class UnpinView(_PinAct):
    """No longer pin a model."""

    is_pinned = False


class EventsView(ListOfModel[Event]):
    """What happened to a model, newest first."""

    serializer_class = EventSerializer
    queryset = Event.objects.none()

    def get_queryset(self) -> QuerySet[Event]:
        return Event.objects.filter(model=self.find_model())

    @extend_schema(summary="List a model's events", tags=TAG, parameters=MODEL)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


def _model_response(model: str) -> Response:
    row = queries.find_model(model)
    return Response(ModelSerializer(queries.model_rows().get(pk=row.pk)).data)


def _version_response(model: str, number: int) -> Response:
    row = queries.find_version(queries.find_model(model), number)
    return Response(VersionDetailSerializer(row).data)


def _verification(result: VerifyResult) -> dict[str, Any]:
    return {
        "model": result.version.model,
        "version": result.version.number,
        "state": result.state.value,
        "is_sound": result.verification.is_sound,
        **report(result.verification),
    }
