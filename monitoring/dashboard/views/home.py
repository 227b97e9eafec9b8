"""The first page, and the health of the service in full."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from access.scopes import Scope
from monitoring.dashboard.health import load_health
from monitoring.dashboard.home import load_home
from monitoring.dashboard.pages import page, query_of, render

REFRESH_S = 15
# Sent by the page's own script, which wants only what changes.
PART = "X-Bellwether-Part"
_MOST_PAGES = 10_000


@page(Scope.READ)
def home(request: HttpRequest) -> HttpResponseBase:
    now, query = timezone.now(), query_of(request)
    search = query.get("q", "").strip()[:200]
    return render(
        request,
        _template(request, "home"),
        title="Home",
        purpose="What serves, whether it is healthy, and whether it is getting worse.",
        found=load_home(now=now, search=search, page=_page_of(query.get("page", ""))),
        health=load_health(now=now),
        search=search,
        now=now,
        refresh_s=REFRESH_S,
        address=request.build_absolute_uri("/").rstrip("/"),
    )


@page(Scope.READ)
def health(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    return render(
        request,
        _template(request, "health"),
        title="System health",
        purpose="Whether the service itself is well: queue, recorder, worker, database, disk.",
        health=load_health(now=now),
        now=now,
        refresh_s=REFRESH_S,
    )


def _template(request: HttpRequest, name: str) -> str:
    return f"home_{name}_live.html" if PART in request.headers else f"home_{name}.html"


def _page_of(text: str) -> int:
    return min(int(text), _MOST_PAGES) if text.isascii() and text.isdecimal() else 1
