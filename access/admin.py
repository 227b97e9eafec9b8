"""API keys in the admin: administrators make, edit and revoke; the key itself is shown once."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_api_key.models import APIKey as UnusedKey
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from access import services
from access.accounts import AccountAdmin, RoleAdmin
from access.facts import Explained, ForAdministrators
from access.models import ApiKey
from access.persons import scopes_of
from access.scopes import MEANINGS, Scope, has_scope, parse_scopes

__all__ = ["AccountAdmin", "ApiKeyAdmin", "RoleAdmin"]

# The library's own keys open nothing here, and a page for them would mislead.
admin.site.unregister(UnusedKey)


class ApiKeyForm(forms.ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope}: {meaning}") for scope, meaning in MEANINGS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the key may do; no more than its program needs.",
    )
    asker: Any

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "owner", "rate", "expiry_date")

    def clean_scopes(self) -> list[str]:
        held = scopes_of(self.asker)
        wanted = parse_scopes(self.cleaned_data["scopes"])
        if beyond := [scope for scope in wanted if not has_scope(held, scope)]:
            raise forms.ValidationError(f"You do not have {', '.join(beyond)} yourself.")
        return [str(scope) for scope in wanted]


@admin.register(ApiKey)
class ApiKeyAdmin(ForAdministrators, Explained, ModelAdmin):  # type: ignore[misc]
    purpose = "What programs come in with. A key is shown once, when it is made."
    empty = "No key was made yet: no program can ask this server anything."
    way_out = ("admin:access_apikey_add", "Make a key", Scope.ADMIN)
    form = ApiKeyForm
    list_display = (
        "prefix",
        "name",
        "scope_names",
        "owner",
        "rate",
        "created",
        "expiry_date",
        "state",
    )
    list_filter = ("revoked", "created", "expiry_date")
    list_select_related = ("owner",)
    search_fields = ("prefix", "name", "owner__username")
    date_hierarchy = "created"
    ordering = ("-created", "id")
    autocomplete_fields = ("owner",)
    readonly_fields = ("prefix", "created", "revoked")
    actions = ("revoke",)

    @admin.display(description="scopes")
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(  # type: ignore[untyped-decorator]  # the theme
        description="state",
        label={
            "usable": "success",
            "expired": "warning",
            "owner inactive": "warning",
            "revoked": "danger",
        },
    )
    def state(self, key: ApiKey) -> str:
        return key.state(timezone.now())

    @admin.action(description="Revoke for ever", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        prefixes = list(queryset.values_list("prefix", flat=True))
        for prefix in prefixes:
            services.revoke_key(prefix)
        messages.success(request, f"Revoked: {', '.join(prefixes)}.")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        fields = ["name", "scopes", "owner", "rate", "expiry_date"]
        return fields if obj is None else ["prefix", *fields, "created", "revoked"]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            services.save_key(obj)
            return
        plaintext = services.issue(obj)
        messages.warning(
            request, f"The key of {obj.name}: {plaintext} Keep it now, it is not shown again."
        )

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        form.asker = request.user
        return form

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.revoked)

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        services.delete_keys(ApiKey.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        services.delete_keys(queryset)
