"""The settings in force, for administrators."""

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from access.scopes import Scope
from monitoring.dashboard.pages import page, query_of, render
from monitoring.dashboard.settings import find_settings


@page(Scope.ADMIN)
def settings(request: HttpRequest) -> HttpResponseBase:
    """All settings, or those with the words of `q`; `changed` leaves the defaults out."""
    query = query_of(request)
    rows = django_settings.BELLWETHER_SETTINGS_IN_FORCE
    only_changed = bool(query.get("changed"))
    groups = find_settings(rows, query.get("q", ""), only_changed=only_changed)
    return render(
        request,
        "settings.html",
        title="Settings in force",
        purpose="With what this server was started, and what each setting does. "
        "They come from the environment and change with a new start.",
        groups=groups,
        q=query.get("q", ""),
        only_changed=only_changed,
        n_found=sum(len(group.settings) for group in groups),
        n_all=len(rows),
    )
