"""The audit log in the admin: events, and whether they are as they were written."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action

from access.facts import FactsAdmin
from registry.errors import RegistryError
from registry.models import Event
from registry.services import audit


@admin.register(Event)
class EventAdmin(FactsAdmin):
    purpose = "Who did what to which model, when and why: a chain that shows any change to it."
    empty = "Nothing has happened yet. The first registered model begins the log."
    list_display = [
        "at",
        "model_name",
        "kind",
        "number",
        "from_number",
        "to_number",
        "actor",
        "reason",
        "short_hash",
    ]
    list_filter = ["kind", "model"]
    search_fields = ["model_name", "actor", "reason", "=hash"]
    date_hierarchy = "at"
    ordering = ["-id"]
    show_full_result_count = False
    actions_list = ["verify_chain"]

    @admin.display(description="hash")
    def short_hash(self, row: Event) -> str:
        return row.hash[:12] or "–"

    @action(  # type: ignore[untyped-decorator]
        description="Verify the chain", url_path="verify-chain", permissions=["view"]
    )
    def verify_chain(self, request: HttpRequest) -> HttpResponseRedirect:
        try:
            report = audit.verify_chain()
        except RegistryError as error:
            self.message_user(request, f"{error.message}.", messages.ERROR)
        else:
            for fault in report.faults:
                self.message_user(
                    request, f"Event {fault.id}: {fault.kind}: {fault.message}.", messages.ERROR
                )
            if report.is_sound:
                told = f"{report.n_events} events are as they were written."
                self.message_user(request, told, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:registry_event_changelist"))
