"""Jobs over REST. One is made by `inference.jobs.uploads`, beside Django: files are streamed."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_facts
from access.scopes import Scope, has_scope
from inference.api.serializers import JobSerializer
from inference.errors import InvalidRequest
from inference.jobs import services
from inference.jobs.downloads import sent
from inference.jobs.listing import errors_of, results_of
from inference.jobs.models import Job, JobState

TAG = ["jobs"]
JOB = [OpenApiParameter("job", UUID, OpenApiParameter.PATH)]
FILTERS = [
    OpenApiParameter("model", str, description="namespace/name"),
    OpenApiParameter("state", str, enum=[state.value for state in JobState]),
]


def key_of(request: Request) -> str | None:
    """Whose jobs this caller sees; None for everybody's."""
    facts = get_facts(request)
    assert facts is not None  # noqa: S101 - the permission has looked
    return None if has_scope(facts.scopes, Scope.ADMIN) else facts.id


def find(request: Request, job: UUID) -> Job:
    return services.find_job(job, key_id=key_of(request))


class JobsView(ListAPIView[Job]):
    """This key's jobs, newest first."""

    required_scopes = {"GET": "predict"}
    serializer_class = JobSerializer
    queryset = Job.objects.select_related("file")

    @extend_schema(
        operation_id="jobs_list",
        summary="List jobs",
        description="Those of the key that asks; all of them with the scope `admin`.",
        tags=TAG,
        parameters=FILTERS,
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        assert self.paginator is not None  # noqa: S101 - the project sets one
        self.paginator.ordering = ("-created_at", "-id")  # type: ignore[attr-defined]
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Job]:
        rows, query = super().get_queryset(), self.request.query_params
        if (key_id := key_of(self.request)) is not None:
            rows = rows.filter(key_id=key_id)
        if model := query.get("model"):
            rows = rows.filter(model=model.replace("\0", ""))
        if state := query.get("state"):
            if state not in JobState.values:
                raise InvalidRequest(
                    f"'state' must be one of {', '.join(JobState.values)}.",
                    details={"field": "state"},
                )
            rows = rows.filter(state=state)
        return rows


class JobView(APIView):
    """One job."""

    required_scopes = {"GET": "predict"}

    @extend_schema(
        operation_id="jobs_read",
        summary="How far a job is",
        tags=TAG,
        parameters=JOB,
        responses=JobSerializer,
    )
    def get(self, request: Request, job: UUID) -> Response:
        return Response(JobSerializer(find(request, job)).data)


class PauseView(APIView):
    """Let a job rest."""

    required_scopes = {"POST": "predict"}

    @extend_schema(
        operation_id="jobs_pause",
        summary="Pause a job",
        description="At once while it waits, else after the current chunk (`asked` says so).",
        tags=TAG,
        parameters=JOB,
        request=None,
        responses=JobSerializer,
    )
    def post(self, request: Request, job: UUID) -> Response:
        services.pause(find(request, job).pk, now=timezone.now())
        return Response(JobSerializer(find(request, job)).data)


class ResumeView(APIView):
    """Let a job go on."""

    required_scopes = {"POST": "predict"}

    @extend_schema(
        operation_id="jobs_resume",
        summary="Resume a job",
        description="After its last finished chunk. A file's job that failed can be resumed, too.",
        tags=TAG,
        parameters=JOB,
        request=None,
        responses=JobSerializer,
    )
    def post(self, request: Request, job: UUID) -> Response:
        services.resume(find(request, job).pk)
        return Response(JobSerializer(find(request, job)).data)


class CancelView(APIView):
    """End a job for good."""

    required_scopes = {"POST": "predict"}

    @extend_schema(
        operation_id="jobs_cancel",
        summary="Cancel a job",
        description="At once while it waits, else after the current chunk. What it has written "
        "until then can be read for the retention time.",
        tags=TAG,
        parameters=JOB,
        request=None,
        responses=JobSerializer,
    )
    def post(self, request: Request, job: UUID) -> Response:
        services.cancel(find(request, job).pk, now=timezone.now())
        return Response(JobSerializer(find(request, job)).data)


class ResultsView(APIView):
    """A job's answers."""

    required_scopes = {"GET": "predict"}

    @extend_schema(
        operation_id="jobs_results",
        summary="Download a job's results",
        description="In the format of its file, as far as it is; Parquet once it is completed.",
        tags=TAG,
        parameters=JOB,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, job: UUID) -> StreamingHttpResponse:
        return sent(results_of(find(request, job)))


class ErrorsView(APIView):
    """The rows of a job that have no answer."""

    required_scopes = {"GET": "predict"}

    @extend_schema(
        operation_id="jobs_errors",
        summary="Download the rows without an answer",
        description="JSON Lines with `line`, `code` and `reason`.",
        tags=TAG,
        parameters=JOB,
        responses={(200, "application/x-ndjson"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, job: UUID) -> StreamingHttpResponse:
        return sent(errors_of(find(request, job)))
