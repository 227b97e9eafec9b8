"""Admin pages of rows that are facts: shown, filtered, searched, and never changed by hand."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from access.persons import can
from access.scopes import Scope


class Explained:
    """Says on the page of a list what it is for, and what to do where it is empty.

    `way_out` is the name of an address, what leading there is called, and the scope it takes.
    """

    purpose = ""
    empty = ""
    way_out: tuple[str, str, Scope] | None = None
    change_list_template = "admin/explained_list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        is_open = self.way_out is not None and can(request, self.way_out[2])
        way_out = self.way_out if is_open else None
        return super().changelist_view(  # type: ignore[misc]
            request, {"way_out": way_out, **(extra_context or {})}
        )


class ForAdministrators:
    """Whoever has the scope `admin` may do everything on the page, and nobody else anything."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return can(request, Scope.ADMIN)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.ADMIN)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.ADMIN)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.ADMIN)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.ADMIN)


class Facts:
    """Takes every way to add, change or delete away from an admin page or an inline.

    Whoever has the scope `read` may look.
    """

    def has_module_permission(self, request: HttpRequest) -> bool:
        return can(request, Scope.READ)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.READ)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FactsAdmin(Facts, Explained, ModelAdmin):  # type: ignore[misc]
    """A page of facts. Its acts name the scope that they need: `permissions=["promote"]`."""

    def has_feedback_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.FEEDBACK)

    def has_push_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.PUSH)

    def has_promote_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.PROMOTE)

    def has_admin_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return can(request, Scope.ADMIN)


class FactsInline(Facts, TabularInline):  # type: ignore[misc]
    """Facts shown within the page of another row."""

    extra = 0
