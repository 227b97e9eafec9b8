"""What every page shares: who may see it, its frame, and how an act's outcome is told."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

from access.errors import BellwetherError
from access.persons import can
from access.scopes import Scope
from registry import queries as registry
from registry.errors import ModelNotFound
from registry.specs import ModelSpec

_P = ParamSpec("_P")
View = Callable[Concatenate[HttpRequest, _P], HttpResponseBase]


def page(scope: Scope = Scope.READ) -> Callable[[View[_P]], View[_P]]:
    """Let in only whoever is signed in and has `scope`; others sign in, or get a 403."""

    def decorate(view: View[_P]) -> View[_P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponseBase:
            if not can(request, scope):
                raise PermissionDenied(f"this page needs the scope {scope}")
            return view(request, *args, **kwargs)

        guarded_view: View[_P] = admin.site.admin_view(guarded)  # type: ignore[assignment]
        # So that a test can walk through all pages with every role.
        guarded_view.scope = scope  # type: ignore[attr-defined]
        return guarded_view

    return decorate


def render(
    request: HttpRequest,
    template: str,
    *,
    title: str,
    purpose: str,
    status: int = 200,
    **context: Any,
) -> TemplateResponse:
    """A page from `templates/dashboard/<template>` with its title and a sentence on its purpose."""
    request.current_app = admin.site.name
    frame = {
        **admin.site.each_context(request),
        "title": title,
        "purpose": purpose,
        "may": {str(scope): can(request, scope) for scope in Scope},
    }
    return TemplateResponse(request, f"dashboard/{template}", {**frame, **context}, status=status)


def load_model(namespace: str, name: str) -> ModelSpec:
    """The model of a page's address; where there is none, the page is a 404."""
    try:
        return registry.load_model(f"{namespace}/{name}")
    except ModelNotFound as error:
        raise Http404(error.message) from error


def model_tabs(model: str, active: str) -> list[dict[str, object]]:
    """The pages of one model, for the row of tabs at their top."""
    namespace, _, name = model.partition("/")
    pages = {
        "overview": ("Overview", "dashboard:model"),
        "versions": ("Versions", "dashboard:versions"),
        "drift": ("Drift", "dashboard:drift"),
        "labelling": ("Labelling", "dashboard:labelling-model"),
    }
    return [
        {"title": title, "url": reverse(view, args=[namespace, name]), "is_active": key == active}
        for key, (title, view) in pages.items()
    ]


def told(request: HttpRequest, act: Callable[[], str]) -> bool:
    """Do `act` and show its sentence, or that of the error that it met; whether it went well."""
    try:
        messages.success(request, act())
    except BellwetherError as error:
        messages.error(request, error.message)
        return False
    return True


def query_of(request: HttpRequest) -> Mapping[str, str]:
    """The query of a page's address, each field once."""
    return {name: str(value) for name, value in request.GET.items()}
