"""Model cards over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from registry import contents
from registry.api.views.common import TAG, VERSION


class LintSerializer(serializers.Serializer[Any]):
    """What is wrong with a card, and what could be better."""

    errors = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField()
    )
    warnings = serializers.ListField(child=serializers.CharField())


class CardSerializer(serializers.Serializer[Any]):
    """A version's card: `markdown` is README.md's text with what the registry knows after it.

    `data` is the front matter, empty where it cannot be read.
    """

    markdown = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]
    lint = LintSerializer()


class CardView(APIView):
    """A version's card."""

    required_scopes = {"GET": "read"}

    @extend_schema(
        summary="A version's model card, with files, parameters, labels, metrics and lineage",
        description="The Markdown is what somebody uploaded: show it without its raw HTML.",
        tags=TAG,
        parameters=VERSION,
        responses=CardSerializer,
    )
    def get(self, request: Request, namespace: str, name: str, number: int) -> Response:
        card = contents.load_card(f"{namespace}/{name}", number)
        return Response(CardSerializer(card).data)
