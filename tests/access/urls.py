"""A few views behind the management plane's gate."""

from collections.abc import Callable
from typing import Any

from django.urls import path
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.drf import ApiKeyAuthentication, HasScope, KeyThrottle, get_facts
from access.scopes import Scope
from tests.access.doubles import handle


class EdgeView(APIView):
    authentication_classes = (ApiKeyAuthentication, SessionAuthentication)
    permission_classes: Any = (HasScope,)
    throttle_classes = (KeyThrottle,)

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return handle


class Needs(EdgeView):
    """Answers with who asks, after asking for the scope in the path."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.required_scopes = {"GET": Scope(kwargs["scope"])}
        super().initial(request, *args, **kwargs)

    def get(self, request: Request, scope: str) -> Response:
        facts = get_facts(request)
        assert facts is not None
        return Response({"code": facts.id, "user": str(request.user)})


class Plain(EdgeView):
    """Says nothing about scopes."""

    def get(self, request: Request) -> Response:
        return Response({"code": "ok"})

    post = get


class Mapped(EdgeView):
    required_scopes = {"GET": "promote", "POST": "feedback"}

    def get(self, request: Request) -> Response:
        return Response({"code": "ok"})

    post = delete = get


class Open(EdgeView):
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"code": "ok"})


urlpatterns = [
    path("needs/<str:scope>", Needs.as_view()),
    path("plain", Plain.as_view()),
    path("mapped", Mapped.as_view()),
    path("open", Open.as_view()),
]
