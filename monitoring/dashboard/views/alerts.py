"""Alerts: the list, one of them with its evidence, and what can be done about it."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from access.errors import BellwetherError
from access.persons import can, get_actor
from access.scopes import Scope
from monitoring.alerting.services import acknowledge
from monitoring.alerting.silences import silence, unsilence
from monitoring.dashboard import alert as one
from monitoring.dashboard import alerts as listed
from monitoring.dashboard.alert_forms import LENGTHS, AcknowledgeForm, SilenceForm
from monitoring.dashboard.alert_words import kind_of
from monitoring.dashboard.pages import page, query_of, render, told
from monitoring.errors import AlertNotFound
from monitoring.models import MonitorKind, Silence
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

LIST = "dashboard:alerts"


@page(Scope.READ)
def alerts(request: HttpRequest) -> HttpResponseBase:
    now, query, problem = timezone.now(), query_of(request), None
    try:
        filters = listed.read_filters(query)
    except BellwetherError as error:
        filters, problem = listed.Filters(), error
    found = listed.load_alerts(filters, now)
    kept = {name: value for name, value in query.items() if value and name != "after"}
    return render(
        request,
        "alerts.html",
        title="Alerts",
        purpose="What is wrong now, what was wrong before, and who takes care of it.",
        status=422 if problem else 200,
        problem=problem,
        field=(problem.details or {}).get("field") if problem else None,
        filters=filters,
        query=query,
        found=found,
        older=f"?{urlencode(kept | {'after': found.after})}" if found.after else "",
        watched=listed.load_watched(),
        silences=listed.load_silences(now),
        now=now,
        states=listed.STATES,
        severities=[each.value for each in reversed(Severity)],
        models=listed.load_model_names(),
        kinds={kind: kind_of(kind).title for kind in MonitorKind.values},
    )


@page(Scope.READ)
def alert(request: HttpRequest, alert: UUID) -> HttpResponseBase:
    found = _load(alert)
    row = found.row
    return render(
        request,
        "alert.html",
        title=f"{row.title}: {row.model} v{row.version}",
        purpose="What happened, what speaks for it, and what you can do next.",
        found=found,
        row=row,
        allowed={scope for scope in Scope if can(request, scope)},
        verdicts={verdict.value for verdict in Verdict},
    )


@page(Scope.ADMIN)
def act(request: HttpRequest, alert: UUID, act: str) -> HttpResponseBase:
    if act != "acknowledge":
        raise Http404(f"An alert knows no act {act!r}.")
    found = _load(alert)
    back = reverse("dashboard:alert", args=[alert])
    form = AcknowledgeForm(_given(request))
    if request.method == "POST" and form.is_valid():

        def do() -> str:
            acknowledge(
                alert,
                actor=get_actor(request),
                now=timezone.now(),
                note=form.cleaned_data["note"],
            )
            return "Acknowledged: people hear of it again when it gets critical, and when it ends."

        told(request, do)
        return redirect(back)
    return render(
        request,
        "confirm.html",
        title="Acknowledge",
        purpose="Say that you take care of this alert.",
        lines=[
            f"{found.row.title}: {found.row.model} version {found.row.version}.",
            "From now on people hear of it only when it gets critical, and when it ends.",
        ],
        form=form,
        button="Acknowledge",
        back=back,
    )


@page(Scope.ADMIN)
def make_silence(request: HttpRequest) -> HttpResponseBase:
    """For an alert (`?alert=`), or for any model, version and kind."""
    about = _about(request)
    back = reverse("dashboard:alert", args=[about.id]) if about else reverse(LIST)
    names = listed.load_model_names()
    if about and about.model not in names:
        names.append(about.model)
    form = SilenceForm(_given(request), models=names, initial=_prefilled(request, about))
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            made = silence(**form.read(now), actor=get_actor(request), now=now)
        except BellwetherError as error:
            field = str((error.details or {}).get("field", ""))
            form.add_error(field if field in form.fields else None, error.message)
        else:
            told(request, lambda: f"Silenced until {made.until_at:%Y-%m-%d %H:%M} UTC.")
            return redirect(back)
    return render(
        request,
        "confirm.html",
        title="Silence",
        purpose="For a time, tell nobody of what matches; alerts go on and are seen here.",
        lines=["What fires meanwhile and still fires at the end is told then."],
        form=form,
        button="Silence",
        back=back,
    )


@page(Scope.ADMIN)
def end_silence(request: HttpRequest, silence: int) -> HttpResponseBase:
    found = Silence.objects.filter(pk=silence).first()
    if found is None:
        raise Http404("There is no such silence.")
    if request.method == "POST":

        def do() -> str:
            unsilence(silence, now=timezone.now())
            return "The silence is over: what still fires is told now."

        told(request, do)
        return redirect(LIST)
    what = found.kind or "every kind"
    where = f"{found.model} v{found.version}" if found.version else found.model or "all models"
    return render(
        request,
        "confirm.html",
        title="End a silence",
        purpose="Let people hear again of what matches.",
        lines=[
            f"{what} at {where}, until {found.until_at:%Y-%m-%d %H:%M} UTC.",
            "What it kept back and still fires is told at once.",
        ],
        button="End it now",
        back=reverse(LIST),
    )


def _load(id: UUID) -> one.AlertPage:
    try:
        return one.load_alert(id, timezone.now())
    except AlertNotFound as error:
        raise Http404(error.message) from error


def _about(request: HttpRequest) -> listed.AlertRow | None:
    """The alert that the address names, if it names one."""
    text = request.GET.get("alert", "")
    try:
        return _load(UUID(text)).row if text else None
    except ValueError as error:
        raise Http404("That is no alert's id.") from error


def _prefilled(request: HttpRequest, about: listed.AlertRow | None) -> dict[str, object]:
    length = request.GET.get("length", "")
    chosen: dict[str, object] = {"length": length if length in LENGTHS else "8h"}
    if about is None:
        return chosen
    return chosen | {"model": about.model, "version": about.version, "kind": about.kind}


def _given(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None
