"""Jobs in the admin: how far each is, what it wrote, and acts that start, pause and end them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from access.errors import BellwetherError
from access.facts import FactsAdmin
from access.persons import can, scopes_of
from access.scopes import Scope
from access.tickets import make_ticket
from inference.jobs import services
from inference.jobs.downloads import sent
from inference.jobs.listing import JobView, errors_of, results_of, view_of
from inference.jobs.looking import MAX_NAME_CHARS
from inference.jobs.rows import Format
from inference.models import Job, JobState
from registry import queries as registry

OPEN = (JobState.QUEUED, JobState.RUNNING)
_DOWNLOADS = {"results": results_of, "errors": errors_of}


class JobForm(forms.Form):
    """Which model answers a file, and how the file is read."""

    # With the theme's own widget: its script writes the file's name into the text field beside it.
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.jsonl,.ndjson,.parquet,.txt,.gz"})
    )
    model = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    format = forms.ChoiceField(
        choices=[(each.value, each.value) for each in Format], widget=UnfoldAdminSelectWidget()
    )
    text_column = forms.CharField(
        max_length=MAX_NAME_CHARS,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "text"}),
        help_text="By default text, or the only column.",
    )
    label_column = forms.CharField(
        max_length=MAX_NAME_CHARS,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Where it is known what is true: it becomes feedback.",
    )
    keep_columns = forms.BooleanField(
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget(),
        help_text="Let the results have the other columns, too.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        live = [spec.name for spec in registry.load_models() if spec.live is not None]
        self.fields["model"].choices = [(name, name) for name in live]  # type: ignore[attr-defined]


@admin.register(Job)
class JobAdmin(FactsAdmin):
    purpose = "Predictions of whole files, or of many texts, that run in the background."
    empty = (
        "No job was started yet. Predict a file with the button above; programs start jobs, too."
    )
    list_display = ("id", "model", "kind", "state", "progress", "n_failed", "left", "created_at")
    list_filter = ("state", "model")
    search_fields = ("id", "request_id")
    date_hierarchy = "created_at"
    show_full_result_count = False
    list_per_page = 50
    list_select_related = ("file",)
    actions = ("pause", "resume", "cancel")
    actions_list = ("upload_file",)
    readonly_fields = ("kind", "progress", "pace", "left", "downloads")
    list_before_template = "admin/inference/job_refresh.html"
    change_form_before_template = "admin/inference/job_refresh.html"

    def has_predict_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.PREDICT)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"is_working": Job.objects.filter(state__in=OPEN).exists()}
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
        context = {"is_working": row is not None and row.state in OPEN, **(extra_context or {})}
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        ours = path("<uuid:job>/<str:what>/download/", view, name="inference_job_download")
        return [ours, *super().get_urls()]

    def download(self, request: HttpRequest, job: UUID, what: str) -> HttpResponseBase:
        if not can(request, Scope.READ):
            raise PermissionDenied
        try:
            return sent(_DOWNLOADS.get(what, results_of)(services.find_job(job, key_id=None)))
        except BellwetherError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect("admin:inference_job_changelist")

    @admin.display(description="what")
    def kind(self, row: Job) -> str:
        return _view(row).format

    @admin.display(description="progress")
    def progress(self, row: Job) -> SafeString:
        view = _view(row)
        percent = int(100 * (view.share or 0))
        return format_html(
            '<div class="bg-base-100 rounded-default w-32 dark:bg-base-800" role="progressbar" '
            'aria-label="progress" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{}">'
            '<div class="h-1.5 bg-primary-600 rounded-default" style="width: {}%"></div></div>'
            "<span>{} %, {} rows</span>",
            percent,
            percent,
            percent,
            f"{view.n_done + view.n_failed:,}",
        )

    @admin.display(description="rows/s")
    def pace(self, row: Job) -> str:
        rate = _view(row).rate
        return "–" if rate is None else f"{rate:,.1f}"

    @admin.display(description="left")
    def left(self, row: Job) -> str:
        view = _view(row)
        if view.asked:
            return f"{view.asked} after this chunk"
        return "–" if view.eta_s is None else f"about {max(1, round(view.eta_s / 60)):,} min"

    @admin.display(description="downloads")
    def downloads(self, row: Job) -> SafeString:
        links = [
            reverse("admin:inference_job_download", args=[row.pk, each]) for each in _DOWNLOADS
        ]
        return format_html('<a href="{}">Results</a> · <a href="{}">Errors</a>', *links)

    @admin.action(description="Pause", permissions=["predict"])
    def pause(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        self._each(request, rows, lambda row: services.pause(row.pk, now=timezone.now()), "pauses")

    @admin.action(description="Resume", permissions=["predict"])
    def resume(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        self._each(request, rows, lambda row: services.resume(row.pk), "goes on")

    @admin.action(description="Cancel for good", permissions=["predict"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        self._each(request, rows, lambda row: services.cancel(row.pk, now=timezone.now()), "ends")

    @action(  # type: ignore[untyped-decorator]
        description="Predict a file", url_path="upload", permissions=["predict"], icon="upload_file"
    )
    def upload_file(self, request: HttpRequest) -> HttpResponseBase:
        user = request.user
        context = {
            **self.admin_site.each_context(request),
            "title": "Predict a file",
            "opts": self.model._meta,
            "form": JobForm(),
            "ticket": make_ticket(int(user.pk or 0), user.get_username(), scopes_of(user)),
        }
        return TemplateResponse(request, "admin/inference/job_upload.html", context)

    def _each(
        self, request: HttpRequest, rows: QuerySet[Job], work: Callable[[Job], None], told: str
    ) -> None:
        for row in rows:
            try:
                work(row)
                self.message_user(request, f"Job {row.pk} {told}.", messages.SUCCESS)
            except BellwetherError as error:
                self.message_user(request, error.message, messages.ERROR)


def _view(row: Job) -> JobView:
    return view_of(row, now=timezone.now())
