"""Feedback over REST."""

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api.giving import give, give_one
from monitoring.api.serializers.feedback import (
    FeedbackItemSerializer,
    OutcomeSerializer,
    ResultsSerializer,
    show_results,
)
from monitoring.specs import parse_items


class FeedbackView(APIView):
    required_scopes = {"POST": "feedback"}

    @extend_schema(
        operation_id="feedback",
        tags=["feedback"],
        summary="Say what is true of one prediction, or of up to 1,000",
        request=PolymorphicProxySerializer(
            "Feedback",
            [FeedbackItemSerializer, FeedbackItemSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        responses=PolymorphicProxySerializer(
            "FeedbackOutcome",
            [OutcomeSerializer, ResultsSerializer],
            resource_type_field_name=None,
        ),
    )
    def post(self, request: Request) -> Response:
        """Join true labels to predictions.

        Sending the same label again changes nothing; another label becomes the one that counts. A
        list is answered with one result an item, in order; an item's error leaves the others alone.
        """
        if isinstance(request.data, list):
            return Response({"results": show_results(give(request, parse_items(request.data)))})
        return Response(OutcomeSerializer(give_one(request)).data)
