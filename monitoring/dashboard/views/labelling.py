"""The labelling queues, and one of them worked through key by key."""

from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from access.persons import can
from access.scopes import Scope
from monitoring.dashboard.labelling import count_today, load_queue_page, load_queues
from monitoring.dashboard.pages import load_model, model_tabs, page, render, told
from monitoring.errors import InvalidAuditPlan
from monitoring.labelling.agreement import MIN_PAIRS
from monitoring.labelling.opinions import settle
from monitoring.labelling.plans import change_plan
from registry.errors import ModelNotFound
from registry.specs import ModelSpec


@page(Scope.FEEDBACK)
def queues(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    return render(
        request,
        "labelling.html",
        title="Labelling",
        purpose="Say what is true of the predictions whose label tells most, so that the quality "
        "of every model is known and not guessed.",
        queues=load_queues(now=now),
        n_today=count_today(labeller_of(request), now=now),
    )


@page(Scope.FEEDBACK)
def label(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    try:
        model = load_model(namespace, name)
    except ModelNotFound as error:
        raise Http404(error.message) from None
    if request.method == "POST":
        return _act(request, model)
    shown = load_queue_page(model.name, labeller_of(request), now=timezone.now())
    return render(
        request,
        "labelling_queue.html",
        title=f"Labelling {model.name}",
        purpose="One text at a time, the most useful first, one key a label.",
        model=model,
        tabs=model_tabs(model.name, "labelling"),
        plan=shown.plan,
        uncertain_percent=round(100 * shown.plan.rates.uncertain_share),
        agreement=shown.agreement,
        couples=shown.couples,
        disagreements=shown.disagreements,
        n_disagreements=shown.n_disagreements,
        n_today=shown.n_today,
        second_percent=settings.BELLWETHER_SECOND_OPINIONS,
        min_pairs=MIN_PAIRS,
    )


def labeller_of(request: HttpRequest) -> str:
    """Who labels, as feedback keeps it: the same as over the API."""
    return f"user:{request.user.pk}"


def _act(request: HttpRequest, model: ModelSpec) -> HttpResponseBase:
    """Settle a disagreement, or change the plan; both ask for the scope `promote`."""
    if not can(request, Scope.PROMOTE):
        raise PermissionDenied(f"this act needs the scope {Scope.PROMOTE}")
    if request.POST.get("act") == "settle":
        told(request, lambda: _settle(request))
    else:
        told(request, lambda: _change_plan(request, model.name))
    return redirect(request.path)


def _settle(request: HttpRequest) -> str:
    try:
        id = UUID(request.POST.get("prediction", ""))
    except ValueError:
        raise Http404("no prediction is named") from None
    given = settle(
        id, request.POST.get("label", ""), settler=labeller_of(request), now=timezone.now()
    )
    return f"Settled: {given.label} is the label that counts."


def _change_plan(request: HttpRequest, model: str) -> str:
    per_hour, percent = (
        request.POST.get(name, "").strip() for name in ("per_hour", "uncertain_percent")
    )
    plan = change_plan(
        model,
        {
            "per_hour": _whole("per_hour", per_hour) if per_hour else None,
            "uncertain_share": _whole("uncertain_percent", percent) / 100,
        },
    )
    return f"About {plan.per_hour} labels an hour are asked for from now on."


def _whole(field: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidAuditPlan(f"{field!r} must be a whole number.", details={"field": field})
    return int(text)
