"""What the pages of acts share: they ask first, tell how it ended, and go where that is shown."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from access.errors import BellwetherError
from monitoring.dashboard.acts import Done
from monitoring.dashboard.pages import model_tabs, render
from monitoring.dashboard.route_words import as_wanted, changes_between, name_shares
from monitoring.dashboard.versions import find_rollout
from registry import queries
from registry.routes import Routes
from registry.specs import ModelSpec

_T = TypeVar("_T")


def ask(
    request: HttpRequest,
    model: ModelSpec,
    *,
    title: str,
    lines: Iterable[str],
    before: Routes,
    after: Routes | None,
    form: Any,
    button: str,
    error: str = "",
    **more: Any,
) -> HttpResponseBase:
    """The page that asks before an act: what changes, why, and a button; 409 with an `error`."""
    namespace, _, name = model.name.partition("/")
    return render(
        request,
        "version_act.html",
        title=f"{model.name}: {title}",
        purpose="What will happen, before it does. Nothing has changed yet.",
        status=409 if error else 200,
        tabs=model_tabs(model.name, "versions"),
        model=model,
        back=reverse("dashboard:versions", args=[namespace, name]),
        heading=title,
        lines=lines,
        shares=name_shares(before),
        changes=changes_between(before, after) if after is not None else None,
        form=form,
        button=button,
        error=error,
        rollout=find_rollout(model.name) if after is not None else "",
        **more,
    )


def finish(request: HttpRequest, model: ModelSpec, done: Done) -> HttpResponseBase:
    """Tell how an act ended, with its event, and go where its progress is shown."""
    namespace, _, name = model.name.partition("/")
    if done.event is None:
        messages.success(request, done.message)
    else:
        url = reverse("admin:registry_event_change", args=[done.event.id])
        told = format_html(
            '{} <a class="underline" href="{}">In the audit log</a>', done.message, url
        )
        messages.success(request, told)
    if done.operation is not None:
        return redirect("admin:registry_operation_change", str(done.operation))
    is_routing = done.event is not None and "after" in done.event.details
    return redirect("dashboard:deployment" if is_routing else "dashboard:versions", namespace, name)


def load_routes(model: ModelSpec) -> tuple[Routes, int]:
    """The routes as a page shows them, and their generation."""
    found = queries.load_model_routes(model.name)
    return as_wanted(found.desired), found.generation


def attempt(work: Callable[[], _T]) -> tuple[_T | None, str]:
    """What `work` gives, or None and the sentence of the error that it met."""
    try:
        return work(), ""
    except BellwetherError as error:
        return None, error.message
