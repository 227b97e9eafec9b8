"""References in the admin: a list, and a form that asks for another."""

import io
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from access.errors import BellwetherError
from access.facts import FactsAdmin
from access.persons import get_actor
from monitoring.models import Reference
from monitoring.references.readers import Row, Shape, read_rows, shape_of
from monitoring.references.services import LONGEST_NOTE, activate, ask_with_texts
from registry import queries as registry

MOST_CHARS = 1_000_000


class ReferenceForm(forms.Form):
    """What to make a reference of: texts, in a file or in the field."""

    model = forms.ChoiceField(widget=UnfoldAdminSelectWidget(), help_text="Its live version.")
    file = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget(),
        help_text="CSV or JSON lines with the columns text and, if known, label, or plain text "
        "with one text a line; gzip too; 8 MB at most.",
    )
    texts = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(),
        max_length=MOST_CHARS,
        help_text="Or the texts themselves, one a line.",
    )
    note = forms.CharField(
        max_length=LONGEST_NOTE,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Where they come from; kept with the reference.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = [spec.name for spec in registry.load_models() if spec.live is not None]
        self.fields["model"].choices = [(name, name) for name in live]  # type: ignore[attr-defined]

    def read(self) -> list[Row]:
        """The rows that were given. Raises InvalidReference."""
        if file := self.cleaned_data["file"]:
            return read_rows(file.file, shape_of(file.name))
        return read_rows(io.BytesIO(self.cleaned_data["texts"].encode()), Shape.PLAIN)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if bool(given.get("file")) == bool(given.get("texts")):
            raise forms.ValidationError("Give a file, or texts in the field: one of them.")
        return given


@admin.register(Reference)
class ReferenceAdmin(FactsAdmin):
    purpose = "What traffic is compared with; one of each version is active."
    empty = (
        "There is no reference yet. The first predictions of a version become one, or "
        "make it from texts."
    )
    list_display = [
        "id",
        "model",
        "version",
        "origin",
        "state",
        "is_active",
        "n",
        "n_labelled",
        "created_by",
        "ready_at",
    ]
    list_filter = ["is_active", "state", "origin"]
    actions = ["activate"]
    actions_list = ["make"]
    search_fields = ["=model"]
    search_help_text = "A whole model (namespace/name)."
    exclude = ["payload", "owner", "leased_until", "n_attempts"]
    ordering = ["-id"]
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reference]:
        rows: QuerySet[Reference] = super().get_queryset(request)
        return rows.defer("payload")

    @action(  # type: ignore[untyped-decorator]
        description="Make a reference", url_path="make", permissions=["promote"], icon="add"
    )
    def make(self, request: HttpRequest) -> HttpResponseBase:
        form = ReferenceForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                return self._ask(request, form)
            except BellwetherError as error:
                form.add_error(None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "title": "Make a reference",
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "admin/monitoring/make_reference.html", context)

    @admin.action(description="Compare traffic with this one", permissions=["promote"])
    def activate(self, request: HttpRequest, rows: QuerySet[Reference]) -> None:
        for row in rows:
            try:
                activate(row.model, row.pk, actor=get_actor(request), now=timezone.now())
                self.message_user(request, f"{row} is active.", messages.SUCCESS)
            except BellwetherError as error:
                self.message_user(request, error.message, messages.ERROR)

    def _ask(self, request: HttpRequest, form: ReferenceForm) -> HttpResponseBase:
        row = ask_with_texts(
            form.cleaned_data["model"],
            None,
            form.read(),
            actor=get_actor(request),
            note=form.cleaned_data["note"],
            now=timezone.now(),
        )
        told = f"{row.n_wanted} texts are being run through {row.model} version {row.version}."
        self.message_user(request, told, messages.SUCCESS)
        return redirect(reverse("admin:monitoring_reference_change", args=[row.pk]))
