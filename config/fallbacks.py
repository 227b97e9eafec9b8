"""What the management plane answers where no view does."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.views import defaults

from access.errors import BellwetherError, ScopeMissing
from access.persons import role_names
from inference.errors import HostNotAllowed, InternalError, InvalidRequest, NotFound
from inference.http.errors import Dialect, body_of, status_of

_DIALECTS: dict[str, Dialect] = {"/v1": "openai", "/v2": "oip"}
_UNSAID = "Your role does not allow this."
_PURPOSE = {
    403: "What you may see and do here depends on your role.",
    404: "Nothing is at this address.",
}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    error: BellwetherError = InvalidRequest("The request cannot be read.")
    if isinstance(exception, DisallowedHost):
        error = HostNotAllowed(
            "This server does not answer to that host name. "
            "Add it to BELLWETHER_ALLOWED_HOSTS and start again."
        )
    return JsonResponse(body_of(error), status=status_of(error))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    said = str(exception)
    if not _is_for_people(request):
        error = ScopeMissing(said or _UNSAID)
        return JsonResponse(body_of(error), status=status_of(error))
    return _page(request, 403, said=_sentence(said) or _UNSAID)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_people(request):
        said = exception.args[0] if exception.args else ""
        return _page(request, 404, said=_sentence(said) if isinstance(said, str) else "")
    error = NotFound("There is nothing at this path. GET /docs lists what there is.")
    return JsonResponse(body_of(error, _dialect_of(request.path)), status=status_of(error))


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_for_people(request):
        return defaults.server_error(request)
    request_id = request.META.get("asgi.scope", {}).get("state", {}).get("request_id", "")
    error = InternalError.during(request_id)
    return JsonResponse(body_of(error), status=status_of(error))


def _dialect_of(path: str) -> Dialect:
    """Whose clients ask for `path`: they read an error in their own shape, or not at all."""
    for prefix, dialect in _DIALECTS.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return dialect
    return "native"


def _is_for_people(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")


def _page(request: HttpRequest, status: int, **context: Any) -> HttpResponse:
    """A page in the admin's frame for whoever is signed in, in that of the sign-in for others."""
    request.current_app = admin.site.name
    frame = {**admin.site.each_context(request), "purpose": _PURPOSE[status], **context}
    if request.user.is_authenticated:
        frame["roles"] = role_names(request.user)
    return TemplateResponse(request, f"{status}.html", frame, status=status).render()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" * bool(
        text
    )
