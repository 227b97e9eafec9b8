"""Channels: who is told, a test of each, and what was delivered."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from access.errors import BellwetherError
from access.persons import get_actor
from access.scopes import Scope
from monitoring.alerting.channels import (
    change_channel,
    create_channel,
    delete_channel,
    get_channel,
    try_channel,
)
from monitoring.dashboard import channels as listed
from monitoring.dashboard.channel_forms import FORMS, form_of, place_error
from monitoring.dashboard.pages import page, query_of, render, told
from monitoring.errors import ChannelNotFound
from monitoring.models import Channel

LIST = "dashboard:channels"
_PURPOSE = "Where alerts are told, and what became of each message."


@page(Scope.READ)
def channels(request: HttpRequest) -> HttpResponseBase:
    query, problem = query_of(request), None
    try:
        filters = listed.read_log_filters(query)
    except BellwetherError as error:
        filters, problem = listed.LogFilters(), error
    log = listed.load_log(filters)
    kept = {name: value for name, value in query.items() if value and name != "before"}
    older = f"?{urlencode(kept | {'before': log.before})}#log" if log.before else ""
    return render(
        request,
        "channels.html",
        title="Channels",
        purpose=_PURPOSE,
        status=422 if problem else 200,
        problem=problem,
        filters=filters,
        rows=listed.load_channels(),
        log=log,
        older=older,
        states=listed.STATES,
        kinds=listed.KINDS,
    )


@page(Scope.ADMIN)
def make(request: HttpRequest) -> HttpResponseBase:
    """First the kind (`?kind=`), then what it needs."""
    kind = request.GET.get("kind", "")
    if kind not in FORMS:
        return render(
            request,
            "channel_kinds.html",
            title="Make a channel",
            purpose="Choose how people are to be told.",
            kinds=listed.KINDS,
        )
    form = form_of(kind, _given(request), None)
    if request.method == "POST" and form.is_valid():
        try:
            row = create_channel(
                kind=kind,
                config=form.config(),
                actor=get_actor(request),
                now=timezone.now(),
                **form.common(),
            )
        except BellwetherError as error:
            place_error(form, error.details, error.message)
        else:
            told(request, lambda: f"Made the channel {row.name}. Send a test over it.")
            return redirect(LIST)
    return _form_page(request, form, kind, title="Make a channel", button="Make it")


@page(Scope.ADMIN)
def change(request: HttpRequest, channel: int) -> HttpResponseBase:
    row = _load(channel)
    form = form_of(row.kind, _given(request), row)
    if request.method == "POST" and form.is_valid():
        changes: dict[str, Any] = form.common()
        if given := form.config():
            changes["config"] = listed.merged_config(channel, given)
        try:
            change_channel(channel, changes)
        except BellwetherError as error:
            place_error(form, error.details, error.message)
        else:
            told(request, lambda: f"Changed the channel {changes['name']}.")
            return redirect(LIST)
    return _form_page(
        request, form, row.kind, title=f"Change {row.name}", button="Save", channel=row
    )


@page(Scope.ADMIN)
@require_POST
def test(request: HttpRequest, channel: int) -> HttpResponseBase:
    """Where scripts do not run; with them the page asks the API and stays."""
    row = _load(channel)

    def send() -> str:
        try_channel(channel, now=timezone.now())
        return f"The test reached {row.name}."

    told(request, send)
    return redirect(LIST)


@page(Scope.ADMIN)
def switch(request: HttpRequest, channel: int) -> HttpResponseBase:
    """Disable what is enabled, enable what is not."""
    row = _load(channel)
    if request.method == "POST":
        # What the page said, not what is: two who press the button at once mean the same.
        wanted = request.POST.get("enable") == "yes"

        def do() -> str:
            change_channel(channel, {"is_enabled": wanted})
            return f"{row.name} is {'enabled' if wanted else 'disabled'}."

        told(request, do)
        return redirect(LIST)
    verb = "Disable" if row.is_enabled else "Enable"
    lines = (
        ["Nobody is told over it until it is enabled again; what is on its way is withheld."]
        if row.is_enabled
        else ["It hears of what fires from now on."]
    )
    if row.disabled_reason:
        lines.insert(0, f"It was disabled: {row.disabled_reason}")
    return render(
        request,
        "channel_switch.html",
        title=f"{verb} {row.name}",
        purpose=_PURPOSE,
        lines=lines,
        enable="no" if row.is_enabled else "yes",
        button=verb,
        back=reverse(LIST),
        is_dangerous=row.is_enabled,
    )


@page(Scope.ADMIN)
def delete(request: HttpRequest, channel: int) -> HttpResponseBase:
    row = _load(channel)
    if request.method == "POST":

        def do() -> str:
            delete_channel(channel)
            return f"Deleted the channel {row.name}."

        told(request, do)
        return redirect(LIST)
    return render(
        request,
        "confirm.html",
        title=f"Delete {row.name}",
        purpose=_PURPOSE,
        lines=[
            f"The channel {row.name} ({row.kind}) and its delivery log are deleted for good.",
            "To be told nothing for a while, disable it instead.",
        ],
        button="Delete it",
        back=reverse(LIST),
        is_dangerous=True,
    )


def _form_page(
    request: HttpRequest,
    form: Any,
    kind: str,
    *,
    title: str,
    button: str,
    channel: Channel | None = None,
) -> HttpResponseBase:
    return render(
        request,
        "channel.html",
        title=title,
        purpose=_PURPOSE,
        form=form,
        words=listed.words_of(kind),
        target=listed.target_of(channel) if channel else "",
        button=button,
        back=reverse(LIST),
    )


def _load(id: int) -> Channel:
    try:
        return get_channel(id)
    except ChannelNotFound as error:
        raise Http404(error.message) from error


def _given(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None
