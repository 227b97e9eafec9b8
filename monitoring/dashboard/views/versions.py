"""A model's versions, the acts on them, and how far the replicas are with what was decided."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from access.persons import can, get_actor
from access.scopes import Scope
from monitoring.dashboard import acts
from monitoring.dashboard.act_forms import (
    ConfirmShareForm,
    ReasonForm,
    RestoreForm,
    ShareForm,
)
from monitoring.dashboard.acts import ACTS, Act, Asked
from monitoring.dashboard.asking import ask, attempt, finish, load_routes
from monitoring.dashboard.pages import load_model, model_tabs, page, query_of, render
from monitoring.dashboard.route_words import as_wanted, changes_between
from monitoring.dashboard.versions import load_version_list
from registry import listing, queries, services
from registry.deployment import load_deployment
from registry.errors import VersionNotFound
from registry.listing import VersionFacts
from registry.services.swaps import retry_swap
from registry.specs import ModelSpec

N_EVENTS = 8


@page(Scope.READ)
def versions(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    model = load_model(namespace, name)
    text = query_of(request).get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1
    found = load_version_list(model, page=number, now=timezone.now())
    held = [
        (row, [act for act in acts.offered(row) if can(request, act.scope)]) for row in found.rows
    ]
    return render(
        request,
        "versions.html",
        title=f"{model.name}: versions",
        purpose="Every version of this model: what it is, where it is routed, how it does, and "
        "what can be done with it.",
        tabs=model_tabs(model.name, "versions"),
        model=model,
        namespace=namespace,
        name=name,
        list=found,
        rows=held,
        default_before=model.live.number if model.live else None,
        default_after=_default_after(model, found.numbers),
    )


@page(Scope.PROMOTE)
def act(request: HttpRequest, namespace: str, name: str, number: int, act: str) -> HttpResponseBase:
    chosen = ACTS.get(act)
    if chosen is None:
        raise Http404(f"there is no act {act!r:.40}")
    if not can(request, chosen.scope):
        raise PermissionDenied(f"this act needs the scope {chosen.scope}")
    model = load_model(namespace, name)
    facts = _load_facts(model.name, number)
    if request.method == "POST":
        return _perform(request, model, facts, chosen)
    return _ask(request, model, facts, chosen)


@page(Scope.PROMOTE)
def roll_back(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    model = load_model(namespace, name)
    (routes, seen), error, form = load_routes(model), "", None
    if request.method == "POST":
        form = ReasonForm(request.POST)
        if form.is_valid():
            asked = Asked(model=model.name, number=0, actor=get_actor(request), **form.cleaned_data)
            done, error = attempt(lambda: acts.roll_back(asked))
            if done:
                return finish(request, model, done)
            routes, seen = load_routes(model)
    after, problem = attempt(lambda: services.plan_rollback(model.name))
    number = acts.stable_of(after) if after else None
    return ask(
        request,
        model,
        title="Roll back",
        lines=[
            f"Version {number}, which was live before, answers all requests again. Canaries end "
            "with it.",
            "A second rollback goes one version further back; it does not return.",
        ]
        if after
        else [],
        before=routes,
        after=after,
        form=ReasonForm(initial={"seen": seen}) if error or form is None else form,
        button=f"Roll back to version {number}",
        error=error or problem,
        asks=after is not None,
    )


@page(Scope.READ)
def deployment(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    """How far the replicas are; whoever may, has them try again (POST)."""
    model = load_model(namespace, name)
    if request.method == "POST":
        if not can(request, Scope.PROMOTE):
            raise PermissionDenied("trying again needs the scope promote")
        retry_swap(model.name, actor=get_actor(request), reason="tried again on the dashboard")
        messages.success(request, "Every replica tries again.")
        return redirect("dashboard:deployment", namespace, name)
    routes = queries.load_model_routes(model.name)
    return render(
        request,
        "deployment.html",
        title=f"{model.name}: deployment",
        purpose="How far the serving processes are with the routes that were decided last.",
        tabs=model_tabs(model.name, "versions"),
        model=model,
        namespace=namespace,
        name=name,
        deployment=load_deployment(model.name),
        changes=changes_between(as_wanted(routes.committed), as_wanted(routes.desired)),
        events=listing.load_events(model.name, limit=N_EVENTS),
        api=f"/api/v1/models/{model.name}/deployment",
    )


def _ask(
    request: HttpRequest,
    model: ModelSpec,
    facts: VersionFacts,
    act: Act,
    *,
    error: str = "",
    form: Any = None,
    percent: int | None = None,
    reason: str = "",
) -> HttpResponseBase:
    number = facts.spec.number
    (before, seen), after, chooser = load_routes(model), None, None
    if act.share is not None and percent is None:
        chooser = ShareForm(request.GET or None, initial={"percent": act.share})
        percent = chooser.cleaned_data["percent"] if chooser.is_valid() else None
    if act.changes_routes and (act.share is None or percent is not None):
        after, problem = attempt(lambda: acts.plan(act.name, model.name, number, percent or 0))
        error = error or problem
    stable = queries.load_live_version(model.name)
    return ask(
        request,
        model,
        title=act.title.format(n=number),
        lines=[line.format(n=number) for line in act.lines],
        before=before,
        after=after,
        form=form or _form(act, {"seen": seen, "percent": percent, "reason": reason}),
        button=act.title.format(n=number),
        error=error,
        facts=facts,
        act=act,
        chooser=chooser,
        asks=not act.changes_routes or after is not None,
        warnings=acts.warn(facts.spec, stable) if act.changes_routes else (),
        snapshots=listing.load_snapshots() if act.name == "restore" else None,
    )


def _perform(
    request: HttpRequest, model: ModelSpec, facts: VersionFacts, act: Act
) -> HttpResponseBase:
    form = _form(act, None, request.POST)
    values: Mapping[str, Any] = form.cleaned_data if form.is_valid() else {}
    percent = values.get("percent")
    if not values:
        sent = request.POST.get("percent", "")
        return _ask(request, model, facts, act, form=form, percent=_percent(sent))
    target, _, snapshot = str(values.get("snapshot", "")).partition("|")
    asked = Asked(
        model=model.name,
        number=facts.spec.number,
        actor=get_actor(request),
        reason=values.get("reason", ""),
        seen=values["seen"],
        percent=percent or 0,
        target=target,
        snapshot=snapshot,
    )
    done, error = attempt(lambda: acts.perform(act.name, asked))
    if done is None:
        return _ask(request, model, facts, act, error=error, percent=percent, reason=asked.reason)
    return finish(request, model, done)


def _form(act: Act, initial: Any, data: Any = None) -> Any:
    if act.name == "restore":
        return RestoreForm(data, initial=initial, snapshots=listing.load_snapshots())
    if act.share is not None:
        return ConfirmShareForm(data, initial=initial)
    return ReasonForm(data, initial=initial, needs_reason=act.needs_reason)


def _percent(text: str) -> int | None:
    is_share = text.isascii() and text.isdigit() and len(text) < 4
    return int(text) if is_share else None


def _default_after(model: ModelSpec, numbers: tuple[int, ...]) -> int | None:
    """The newest version that is not the live one."""
    live = model.live.number if model.live else None
    return next((number for number in numbers if number != live), None)


def _load_facts(model: str, number: int) -> VersionFacts:
    try:
        return listing.load_version_facts(model, number)
    except VersionNotFound as error:
        raise Http404(error.message) from error
