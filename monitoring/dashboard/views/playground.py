"""The playground: a model is asked from the browser, and the answer shown."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie

from access.persons import can
from access.scopes import Scope
from monitoring.dashboard.pages import page, query_of, render
from monitoring.dashboard.playground import EXAMPLES, load_playground

_FIELDS = ("model", "version", "beside", "text")
_NOBODY = UUID(int=0)


@page(Scope.PREDICT)
@ensure_csrf_cookie
def playground(request: HttpRequest) -> HttpResponseBase:
    """`model`, `version`, `beside` and `text` of the query fill the form in; nothing is asked."""
    query = query_of(request)
    asked = {field: query.get(field, "") for field in _FIELDS}
    shown = load_playground(**asked)
    facts = {
        **shown.as_json(),
        "may_feedback": can(request, Scope.FEEDBACK),
        "max_chars": settings.BELLWETHER_MAX_TEXT_CHARS,
        "max_inputs": settings.BELLWETHER_MAX_INPUTS,
        "base": settings.BELLWETHER_PUBLIC_URL or f"{request.scheme}://{request.get_host()}",
        "prediction_url": reverse("dashboard:prediction", args=[_NOBODY]),
    }
    return render(
        request,
        "playground.html",
        title="Playground",
        purpose="Ask a model and see everything it answers, beside another version if you like, "
        "with the code for the same call.",
        playground=facts,
        shown=shown,
        examples=EXAMPLES,
    )
