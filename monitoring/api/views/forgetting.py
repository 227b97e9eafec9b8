"""Forgetting over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import get_actor
from monitoring.forgetting import LONGEST_SUBJECT, forget


class SubjectSerializer(serializers.Serializer[Any]):
    subject = serializers.CharField(
        max_length=LONGEST_SUBJECT, help_text="As callers send it beside their texts."
    )


class ForgottenSerializer(serializers.Serializer[Any]):
    n_predictions = serializers.IntegerField()
    n_exemplars = serializers.IntegerField()


class ForgetView(APIView):
    required_scopes = {"POST": "admin"}

    @extend_schema(
        operation_id="forget",
        tags=["predictions"],
        summary="Delete everything that is kept about somebody",
        request=SubjectSerializer,
        responses=ForgottenSerializer,
    )
    def post(self, request: Request) -> Response:
        """Predictions, texts, embeddings and labels of this subject go, and counters with them.

        Sums of embeddings stay: nobody can be found in them. The audit log says how much went, not
        whose it was.
        """
        given = SubjectSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        gone = forget(given.validated_data["subject"], actor=get_actor(request))
        return Response(ForgottenSerializer(gone).data)
