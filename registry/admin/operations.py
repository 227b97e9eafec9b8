"""Long work in the admin: how far it is, and the acts that start, cancel and repeat it."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from access.facts import FactsAdmin
from access.persons import get_actor
from registry import tasks
from registry.admin.acts import each
from registry.errors import RegistryError
from registry.models import MAX_TEXT_CHARS, Operation
from registry.names import MAX_NAME_CHARS
from registry.services import importing, operations
from registry.sources.hub import DEFAULT_REVISION, MAX_REVISION_CHARS
from registry.specs import OperationKind, OperationState, Pooling
from registry.uploads import make_ticket

# Of a result, in the list; the page of the operation shows it whole.
MAX_PAIRS = 3
OPEN = (OperationState.QUEUED.value, OperationState.RUNNING.value)
_POOLINGS = [("", "as the files say"), *((kind.value, kind.value) for kind in Pooling)]


class VersionForm(forms.Form):
    """What becomes of the files, wherever they come from."""

    name = forms.CharField(
        max_length=MAX_NAME_CHARS,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "team/model"}),
        help_text="Name here, namespace/name; the model is made when it is new.",
    )
    pooling = forms.ChoiceField(choices=_POOLINGS, required=False, widget=UnfoldAdminSelectWidget())
    note = forms.CharField(
        max_length=MAX_TEXT_CHARS,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="A sentence kept with the version.",
    )
    promote = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Let it answer requests at once; otherwise promote it after a look.",
    )


class ImportForm(VersionForm):
    """Which files, besides."""

    field_order = ("source", "revision", "endpoint", "name")

    source = forms.CharField(
        max_length=MAX_NAME_CHARS,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "org/model"}),
        help_text="The model's name on the endpoint.",
    )
    revision = forms.CharField(
        max_length=MAX_REVISION_CHARS,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": DEFAULT_REVISION}),
        help_text="Branch, tag or commit.",
    )
    endpoint = forms.ChoiceField(widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        allowed = settings.BELLWETHER_IMPORT_ENDPOINTS
        self.fields["endpoint"].choices = [(url, url) for url in allowed]  # type: ignore[attr-defined]


@admin.register(Operation)
class OperationAdmin(FactsAdmin):
    purpose = "Long work: imports, archives, backups, checks. How far each is, and how it ended."
    empty = (
        "No long work was asked for yet. Import a model or upload an archive with the "
        "buttons above."
    )
    list_display = ["title", "state", "progress", "outcome", "actor", "created_at"]
    list_filter = ["kind", "state"]
    search_fields = ["title", "actor", "message"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    actions = ["retry", "cancel"]
    actions_list = ["import_model", "upload_archive"]
    readonly_fields = ["progress", "outcome"]
    show_full_result_count = False
    list_before_template = "admin/registry/operation_refresh.html"
    change_form_before_template = "admin/registry/operation_refresh.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "is_working": Operation.objects.filter(state__in=OPEN).exists(),
            "is_empty": not Operation.objects.exists(),
        }
        page: HttpResponse = super().changelist_view(request, {**context, **(extra_context or {})})
        return page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        context = {"is_working": row is not None and row.state in OPEN}
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )
        return page

    @admin.display(description="progress")
    def progress(self, row: Operation) -> SafeString | str:
        if not row.total:
            return "–"
        percent = min(100, 100 * row.done // row.total)
        return format_html(
            '<div class="bg-base-100 rounded-default w-32 dark:bg-base-800" role="progressbar" '
            'aria-label="progress" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{}">'
            '<div class="h-1.5 bg-primary-600 rounded-default" style="width: {}%"></div></div>'
            "<span>{} % of {}</span>",
            percent,
            percent,
            percent,
            _size(row.total),
        )

    @admin.display(description="outcome")
    def outcome(self, row: Operation) -> str:
        if row.error_code or row.message:
            return f"{row.message or row.error_code}"
        told = {key: value for key, value in row.result.items() if _is_told(value)}
        if "model" in told and "version" in told:
            new = "" if told.get("is_new", True) else ", which was there"
            return f"{told['model']} version {told['version']}{new}"
        pairs = [f"{key} {str(value)[:40]}" for key, value in told.items()]
        return ", ".join(pairs[:MAX_PAIRS]) or "–"

    @admin.action(description="Try again what failed", permissions=["promote"])
    def retry(self, request: HttpRequest, rows: QuerySet[Operation]) -> None:
        def work(row: Operation) -> str:
            tasks.retry(row.pk)
            return f"{row.title}: queued again"

        each(self, request, rows, work)

    @admin.action(description="Cancel what waits or runs", permissions=["promote"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Operation]) -> None:
        def work(row: Operation) -> str:
            operations.cancel(row.pk, actor=get_actor(request))
            return f"{row.title}: cancelled"

        each(self, request, rows, work)

    @action(  # type: ignore[untyped-decorator]
        description="Import a model", url_path="import", permissions=["push"], icon="add"
    )
    def import_model(self, request: HttpRequest) -> HttpResponseBase:
        form = ImportForm(request.POST or None, initial=_given(request))
        if request.method == "POST" and form.is_valid():
            try:
                return self._start_import(request, form.cleaned_data)
            except RegistryError as error:
                form.add_error(None, error.message)
        return self._page(request, "Import a model from a Hub", form, "operation_import.html")

    @action(  # type: ignore[untyped-decorator]
        description="Upload an archive", url_path="upload", permissions=["push"], icon="upload"
    )
    def upload_archive(self, request: HttpRequest) -> HttpResponseBase:
        context = {"ticket": make_ticket(int(request.user.pk or 0))}
        return self._page(
            request,
            "Upload an archive",
            VersionForm(initial=_given(request)),
            "operation_upload.html",
            context,
        )

    def _start_import(self, request: HttpRequest, wanted: dict[str, Any]) -> HttpResponseBase:
        parameters = importing.check_import(
            wanted["source"],
            wanted["name"],
            revision=wanted["revision"] or None,
            endpoint=wanted["endpoint"],
            pooling=wanted["pooling"] or None,
            note=wanted["note"],
            promote=wanted["promote"],
        )
        title = importing.import_title(parameters)
        operation = tasks.enqueue(
            OperationKind.IMPORT, title, actor=get_actor(request), parameters=parameters
        )
        self.message_user(request, f"Queued: {title}.", messages.SUCCESS)
        return redirect(reverse("admin:registry_operation_change", args=[operation]))

    def _page(
        self,
        request: HttpRequest,
        title: str,
        form: forms.Form,
        template: str,
        more: dict[str, Any] | None = None,
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.model._meta,
            "form": form,
            **(more or {}),
        }
        return TemplateResponse(request, f"admin/registry/{template}", context)


def _given(request: HttpRequest) -> dict[str, str]:
    """The model that the page which links here is about: `?name=`."""
    return {"name": request.GET.get("name", "")[:MAX_NAME_CHARS]}


def _is_told(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:,.1f} kB"
