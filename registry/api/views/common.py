"""What the registry's views share."""

from typing import Any, TypeVar

from django.db.models import Model
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request

from registry import queries
from registry.models import RegisteredModel

TAG = ["registry"]
MODEL = [
    OpenApiParameter("namespace", str, OpenApiParameter.PATH),
    OpenApiParameter("name", str, OpenApiParameter.PATH),
]
VERSION = [*MODEL, OpenApiParameter("number", int, OpenApiParameter.PATH)]

_Row = TypeVar("_Row", bound=Model)


class ListOfModel(ListAPIView[_Row]):
    """A list that belongs to the model in the path; 404 when there is no such model."""

    required_scopes = {"GET": "read"}

    def find_model(self) -> RegisteredModel:
        return queries.find_model(f"{self.kwargs['namespace']}/{self.kwargs['name']}")


def read(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body in this shape; raises DRF's ValidationError."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values
