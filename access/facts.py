"""Admin pages of rows that are facts: shown, filtered, searched, and never changed by hand."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline


class Facts:
    """Takes every way to add, change or delete away from an admin page or an inline."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FactsAdmin(Facts, ModelAdmin):  # type: ignore[misc]
    """A page of facts."""


class FactsInline(Facts, TabularInline):  # type: ignore[misc]
    """Facts shown within the page of another row."""

    extra = 0
