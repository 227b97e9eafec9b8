"""What shadows have shown, to read."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from access.facts import FactsAdmin
from access.scopes import Scope
from monitoring.models import (
    ShadowCell,
    ShadowFlip,
)


@admin.register(ShadowCell)
class ShadowCellAdmin(FactsAdmin):
    purpose = "How often a shadow agreed with the version that answered, by hour and label."
    empty = "No shadow has seen a copy yet. Route a version as a shadow."
    way_out = ("admin:registry_version_changelist", "Go to the versions", Scope.READ)
    list_display = [
        "bucket",
        "model",
        "shadow_version",
        "primary_version",
        "shadowed",
        "predicted",
        "is_agreed",
        "n",
    ]
    search_fields = ["=model"]
    search_help_text = "A whole model (namespace/name)."
    ordering = ["-bucket", "model", "-shadow_version", "predicted", "shadowed"]
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="agreed", boolean=True)
    def is_agreed(self, row: ShadowCell) -> bool:
        return row.predicted == row.shadowed


@admin.register(ShadowFlip)
class ShadowFlipAdmin(FactsAdmin):
    purpose = "The last answers that a shadow would have given otherwise."
    empty = "No shadow has disagreed yet."
    list_display = [
        "at",
        "model",
        "shadow_version",
        "shadowed",
        "primary_version",
        "predicted",
        "shown_prediction",
    ]
    search_fields = ["=model", "=shadowed", "=predicted"]
    search_help_text = "A whole model (namespace/name) or label."
    ordering = ["-id"]
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="prediction")
    def shown_prediction(self, row: ShadowFlip) -> str:
        url = reverse("admin:monitoring_prediction_change", args=[row.prediction])
        return format_html('<a href="{}">{}</a>', url, row.prediction)
