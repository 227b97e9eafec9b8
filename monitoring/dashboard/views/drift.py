"""Drift on request: any window of a model against its reference, or against another window."""

import time
from urllib.parse import urlencode

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from access.errors import BellwetherError
from access.scopes import Scope
from monitoring.dashboard import drift as comparing
from monitoring.dashboard.drift_words import groups
from monitoring.dashboard.pages import load_model, model_tabs, page, query_of, render
from monitoring.drift import catalogue
from monitoring.evaluating.exploring import DEFAULT_ALPHA, MOST_LAST, MOST_SAMPLED, compare
from monitoring.windows import parse_window

_FIELDS = ("from", "to", "last", "against_from", "against_to", "version", "alpha", "detectors")


@page(Scope.READ)
def drift(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    """All that is asked for is in the address, so a link shows the same again."""
    model, now, params = load_model(namespace, name), timezone.now(), query_of(request)
    chosen = request.GET.getlist("detectors")
    query = found = problem = None
    began = time.perf_counter()
    try:
        query = comparing.read_query(model.name, params, chosen, now=now)
        report = compare(query)
        found = comparing.show_report(report, query, time.perf_counter() - began)
    except BellwetherError as error:
        problem = error
    ticked = query.detectors if query else [each for part in chosen for each in part.split(",")]
    here = reverse("dashboard:drift", args=[namespace, name])
    link = (
        f"{here}?{urlencode(comparing.permanent(query, found.report))}" if found and query else ""
    )
    return render(
        request,
        "drift.html",
        title=f"Drift of {model.name}",
        purpose="Compare any window of traffic with the reference or another window, by any "
        "detector. Nothing of it is kept, and nobody is alerted.",
        tabs=model_tabs(model.name, "drift"),
        status=422 if problem else 200,
        model=model,
        params=params,
        query=query,
        found=found,
        link=link,
        problem=problem,
        field=(problem.details or {}).get("field") if problem else "",
        known_fields=_FIELDS,
        groups=groups(ticked or [each.name for each in catalogue.DEFAULTS]),
        by_last=bool(query.last) if query else params.get("by") == "last",
        with_window=bool(query.against) if query else params.get("with") == "window",
        usual=parse_window(None, None, now=now),
        most_last=MOST_LAST,
        most_sampled=MOST_SAMPLED,
        alpha=DEFAULT_ALPHA,
        recent=comparing.load_recent(model.name),
    )
