"""What the management plane answers where no view does."""

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from access.errors import BellwetherError
from inference.errors import HostNotAllowed, InternalError, InvalidRequest, NotFound
from inference.http.errors import body_of, status_of


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    error: BellwetherError = InvalidRequest("The request cannot be read.")
    if isinstance(exception, DisallowedHost):
        error = HostNotAllowed(
            "This server does not answer to that host name. "
            "Add it to BELLWETHER_ALLOWED_HOSTS and start again."
        )
    return JsonResponse(body_of(error), status=status_of(error))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_people(request):
        return defaults.page_not_found(request, exception)
    error = NotFound("There is nothing at this path. GET /docs lists what there is.")
    return JsonResponse(body_of(error), status=status_of(error))


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_for_people(request):
        return defaults.server_error(request)
    request_id = request.META.get("asgi.scope", {}).get("state", {}).get("request_id", "")
    error = InternalError.during(request_id)
    return JsonResponse(body_of(error), status=status_of(error))


def _is_for_people(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")
