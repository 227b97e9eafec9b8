"""Alerts and where they are told, to read."""

from django.contrib import admin

from access.facts import FactsAdmin, FactsInline
from monitoring.models import (
    Alert,
    Channel,
    Notification,
    Silence,
    Transition,
)


class TransitionInline(FactsInline):
    model = Transition
    fields = ["at", "from_state", "to_state", "severity", "reason", "actor"]
    ordering = ["-pk"]


@admin.register(Alert)
class AlertAdmin(FactsAdmin):
    list_display = ["opened_at", "model", "version", "kind", "state", "severity", "summary"]
    list_filter = ["state", "severity", "kind"]
    search_fields = ["=model"]
    search_help_text = "A whole model (namespace/name)."
    exclude = ["tallies"]
    ordering = ["-opened_at"]
    list_per_page = 50
    show_full_result_count = False
    inlines = [TransitionInline]


@admin.register(Channel)
class ChannelAdmin(FactsAdmin):
    list_display = ["name", "kind", "models_matching", "min_severity", "is_enabled"]
    # It may hold secrets.
    exclude = ["config"]
    ordering = ["name"]


@admin.register(Notification)
class NotificationAdmin(FactsAdmin):
    list_display = ["created_at", "channel", "transition", "state", "n_attempts", "error"]
    list_filter = ["state"]
    list_select_related = ["channel", "transition"]
    ordering = ["-pk"]
    list_per_page = 50
    show_full_result_count = False


@admin.register(Silence)
class SilenceAdmin(FactsAdmin):
    list_display = ["until_at", "model", "version", "kind", "created_by", "note"]
    ordering = ["-until_at"]
    list_per_page = 50
