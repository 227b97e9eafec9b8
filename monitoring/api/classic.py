"""The feedback endpoint that blog-style clients know."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api.giving import give_one
from monitoring.api.serializers.feedback import FeedbackItemSerializer, OutcomeSerializer


class ClassicFeedbackView(APIView):
    required_scopes = {"POST": "feedback"}
    # Errors come in the classic clients' shape.
    dialect = "classic"

    @extend_schema(
        operation_id="classic_feedback",
        tags=["classic"],
        summary="Say what is true of one prediction",
        request=FeedbackItemSerializer,
        responses=OutcomeSerializer,
    )
    def post(self, request: Request) -> Response:
        return Response(OutcomeSerializer(give_one(request)).data)
