"""What every act in the admin shares: it asks first, and one sentence tells each row's outcome."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from registry.errors import RegistryError
from registry.models import MAX_TEXT_CHARS

_Row = TypeVar("_Row")
_Kept = TypeVar("_Kept", bound=Model)


class ReasonForm(forms.Form):
    """Why it is done; kept with the event."""

    reason = forms.CharField(
        max_length=MAX_TEXT_CHARS, required=False, widget=UnfoldAdminTextInputWidget()
    )


def each(
    view: ModelAdmin, request: HttpRequest, rows: Iterable[_Row], work: Callable[[_Row], str]
) -> None:
    """Do `work` for each row and show its sentence, or that of the error that it met."""
    for row in rows:
        try:
            view.message_user(request, f"{work(row)}.", messages.SUCCESS)
        except RegistryError as error:
            view.message_user(request, f"{error.message}.", messages.ERROR)


def each_after_asking(
    view: ModelAdmin,
    request: HttpRequest,
    rows: QuerySet[_Kept],
    act: str,
    what: str,
    work: Callable[[_Kept, str], str],
) -> TemplateResponse | None:
    """Show what `act` would do to which rows; do `work(row, reason)` for each once it is confirmed.

    `what` is the sentence that asks.
    """
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
    if form.is_valid():
        reason = form.cleaned_data["reason"] or "in the admin"
        each(view, request, rows, lambda row: work(row, reason))
        return None
    context = {
        **view.admin_site.each_context(request),
        "title": "Are you sure?",
        "opts": view.model._meta,
        "what": what,
        "rows": rows,
        "form": form,
        "act": act,
        "back": request.get_full_path(),
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/registry/confirm_act.html", context)
