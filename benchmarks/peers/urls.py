"""The real paths of the management plane, plus a view that does nothing."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from config.urls import handler404, handler500
from config.urls import urlpatterns as management

__all__ = ["handler404", "handler500", "urlpatterns"]


def plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"label": "POSITIVE", "score": 0.99})


urlpatterns = [path("plain", plain), *management]
