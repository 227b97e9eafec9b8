"""The labelling queue as people work through it: taking items, labelling them, settling."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_facts
from monitoring.api.serializers.labelling import (
    AgreementSerializer,
    GivenSerializer,
    LetGoneSerializer,
    LetGoSerializer,
    OpinionSerializer,
    TakeSerializer,
    TurnsSerializer,
)
from monitoring.labelling.agreement import agreement
from monitoring.labelling.opinions import give_opinion, load_pairs, settle
from monitoring.labelling.turns import let_go, take
from registry import queries as registry


class AuditTakeView(APIView):
    required_scopes = {"POST": "feedback"}

    @extend_schema(
        operation_id="audit_take",
        tags=["feedback"],
        summary="Take items of the queue that nobody else looks at",
        request=TakeSerializer,
        responses=TurnsSerializer,
    )
    def post(self, request: Request) -> Response:
        """They are the caller's for ten minutes, and anew with every call; his own come first."""
        given = TakeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        turns = take(
            wanted["model"], labeller_of(request), now=timezone.now(), limit=wanted["limit"]
        )
        return Response(TurnsSerializer(turns).data)


class AuditLetGoView(APIView):
    required_scopes = {"POST": "feedback"}

    @extend_schema(
        operation_id="audit_let_go",
        tags=["feedback"],
        summary="Give items back that were taken",
        request=LetGoSerializer,
        responses=LetGoneSerializer,
    )
    def post(self, request: Request) -> Response:
        given = LetGoSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        n = let_go(given.validated_data["ids"], labeller_of(request))
        return Response(LetGoneSerializer({"n": n}).data)


class AuditLabelView(APIView):
    required_scopes = {"POST": "feedback"}

    @extend_schema(
        operation_id="audit_label",
        tags=["feedback"],
        summary="Label an item of the queue",
        request=OpinionSerializer,
        responses=GivenSerializer,
    )
    def post(self, request: Request, prediction_id: UUID) -> Response:
        """The first person's label is feedback of an audit; another's is a second opinion."""
        given = OpinionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        outcome = give_opinion(
            prediction_id,
            given.validated_data["label"],
            labeller=labeller_of(request),
            now=timezone.now(),
        )
        return Response(GivenSerializer(outcome).data)


class AuditSettleView(APIView):
    required_scopes = {"POST": "promote"}

    @extend_schema(
        operation_id="audit_settle",
        tags=["feedback"],
        summary="Say which label counts where two people differ",
        request=OpinionSerializer,
        responses=GivenSerializer,
    )
    def post(self, request: Request, prediction_id: UUID) -> Response:
        given = OpinionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        outcome = settle(
            prediction_id,
            given.validated_data["label"],
            settler=labeller_of(request),
            now=timezone.now(),
        )
        return Response(GivenSerializer(outcome).data)


class AgreementView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="agreement",
        tags=["feedback"],
        summary="How far two people who label the same texts agree",
        responses=AgreementSerializer,
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        model = f"{namespace}/{name}"
        registry.load_model(model)
        pairs = [(pair.first, pair.second) for pair in load_pairs(model)]
        return Response(AgreementSerializer(agreement(pairs)).data)


def labeller_of(request: Request) -> str:
    """Who labels, as feedback keeps it."""
    facts = get_facts(request)
    return facts.id if facts else ""
