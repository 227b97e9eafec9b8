"""API keys in the admin: superusers make, edit and revoke; the key itself is shown once."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework_api_key.models import APIKey as UnusedKey
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from access import services
from access.models import ApiKey
from access.scopes import Scope, parse_scopes

# Django's own pages of accounts, in the theme of the others.
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class AccountAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class AccountGroupAdmin(GroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


# The library's own keys open nothing here, and a page for them would mislead.
admin.site.unregister(UnusedKey)


class ApiKeyForm(forms.ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in Scope],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the key may do; admin implies everything else.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "owner", "rate", "expiry_date")

    def clean_scopes(self) -> list[str]:
        return [str(scope) for scope in parse_scopes(self.cleaned_data["scopes"])]


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]
    form = ApiKeyForm
    list_display = (
        "prefix",
        "name",
        "scope_names",
        "owner",
        "rate",
        "created",
        "expiry_date",
        "revoked",
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

    # Whoever makes keys can give any scope away, so only those who hold all of them may.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return _is_superuser(request) and not (obj and obj.revoked)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return _is_superuser(request)

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        services.delete_keys(ApiKey.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        services.delete_keys(queryset)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
