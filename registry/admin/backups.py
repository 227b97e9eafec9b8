"""Backups in the admin: what was written, one more, verification, and sweeping."""

from datetime import timedelta

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from access.facts import FactsAdmin
from access.persons import get_actor
from access.scopes import Scope
from registry.admin.acts import each
from registry.errors import RegistryError
from registry.models import Backup
from registry.services import backups, sweeping


class BackupForm(forms.Form):
    """Where to back up."""

    target = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget(), help_text="Targets are configured in BELLWETHER_BACKUPS."
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        names = backups.target_names()
        field = self.fields["target"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(name, name) for name in names]


@admin.register(Backup)
class BackupAdmin(FactsAdmin):
    purpose = (
        "Snapshots of the database and the files, where they lie, and whether they were read again."
    )
    empty = "There is no backup yet. Name a target in BELLWETHER_BACKUPS, then back up."
    way_out = ("admin:registry_backup_back_up_now", "Back up now", Scope.PROMOTE)
    list_display = ["snapshot", "target", "size", "sent", "created_at", "created_by", "is_sound"]
    list_filter = ["target", "is_sound"]
    search_fields = ["snapshot"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    actions = ["verify"]
    actions_list = ["back_up_now", "sweep"]

    @admin.display(description="MB", ordering="n_bytes")
    def size(self, row: Backup) -> str:
        return f"{row.n_bytes / 1e6:.1f}"

    @admin.display(description="MB sent", ordering="n_new_bytes")
    def sent(self, row: Backup) -> str:
        return f"{row.n_new_bytes / 1e6:.1f}"

    @admin.action(description="Verify: read every byte there again", permissions=["promote"])
    def verify(self, request: HttpRequest, rows: QuerySet[Backup]) -> None:
        def work(row: Backup) -> str:
            backups.request_check(row.target, row.snapshot, actor=get_actor(request))
            return f"{row}: queued, see operations"

        each(self, request, rows, work)

    @action(  # type: ignore[untyped-decorator]
        description="Back up now", url_path="now", permissions=["promote"], icon="backup"
    )
    def back_up_now(self, request: HttpRequest) -> HttpResponseBase:
        form = BackupForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                operation = backups.request_backup(
                    form.cleaned_data["target"], actor=get_actor(request)
                )
                return redirect(reverse("admin:registry_operation_change", args=[operation]))
            except RegistryError as error:
                form.add_error(None, error.message)
        return self._page(
            request, "Back up now", "backup_now.html", form=form, targets=backups.target_names()
        )

    @action(  # type: ignore[untyped-decorator]
        description="Sweep", url_path="sweep", permissions=["promote"], icon="mop"
    )
    def sweep(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST":
            operation = sweeping.request_sweep(actor=get_actor(request))
            return redirect(reverse("admin:registry_operation_change", args=[operation]))
        try:
            found = sweeping.look()
        except RegistryError as error:
            self.message_user(request, f"{error.message}.", messages.ERROR)
            return redirect(reverse("admin:registry_backup_changelist"))
        parts = {"kept": found.kept, "not needed": found.spare}
        rows = [
            (part, reason, n_blobs, f"{n_bytes / 1e6:,.1f}")
            for part, totals in parts.items()
            for reason, (n_blobs, n_bytes) in totals.items()
        ]
        due = f"{found.due[0]} files of {found.due[1] / 1e6:,.1f} MB"
        hours = sweeping.GRACE // timedelta(hours=1)
        return self._page(request, "Sweep", "sweep.html", rows=rows, due=due, hours=hours)

    def _page(
        self, request: HttpRequest, title: str, template: str, **more: object
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.model._meta,
            **more,
        }
        return TemplateResponse(request, f"admin/registry/{template}", context)
