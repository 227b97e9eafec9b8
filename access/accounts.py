"""People and roles in the admin: whoever has the scope `admin` gives others access, never more.

Nobody changes what they may do themselves, and only superusers touch superusers.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from access.facts import Explained, ForAdministrators
from access.persons import LABEL, role_names, scopes_of
from access.roles import permission_of
from access.scopes import MEANINGS, Scope, has_scope

MAY_SIGN_IN = "Without it the account cannot sign in, whatever its role."
_ROLE_HELP = (
    "viewer: looks. labeller: also says what was right. operator: also predicts, brings versions "
    "in, routes them and handles alerts. admin: also people, roles and keys."
)

# Django's own pages of accounts, in the theme of the others.
admin.site.unregister(User)
admin.site.unregister(Group)


class RoleForm(forms.ModelForm[User]):
    """What the two forms of an account share: one role, of those that `asker` may give."""

    asker: User
    role = forms.ModelChoiceField(
        Group.objects.order_by("name"),
        required=False,
        empty_label="no role: may look at nothing",
        widget=UnfoldAdminSelectWidget(),
        help_text=_ROLE_HELP,
    )

    def clean_role(self) -> Group | None:
        role: Group | None = self.cleaned_data["role"]
        held = scopes_of(self.asker)
        beyond = sorted(scope for scope in _scopes_of(role) if not has_scope(held, scope))
        if beyond:
            raise forms.ValidationError(f"You do not have {', '.join(beyond)} yourself.")
        return role


class NewAccountForm(UserCreationForm, RoleForm):  # type: ignore[misc]
    is_staff = forms.BooleanField(
        label="May sign in", required=False, initial=True, help_text=MAY_SIGN_IN
    )

    class Meta:
        model = User
        fields = ("username", "is_staff")


class AccountForm(UserChangeForm, RoleForm):  # type: ignore[misc]
    class Meta:
        model = User
        fields = (
            "username",
            "first_name",
            "last_name",
            "email",
            "is_active",
            "is_staff",
            "is_superuser",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            self.initial["role"] = self.instance.groups.order_by("name").first()
        for name, help_text in (("is_staff", MAY_SIGN_IN), ("is_active", _ACTIVE_HELP)):
            if name in self.fields:
                self.fields[name].help_text = help_text
        if "is_staff" in self.fields:
            self.fields["is_staff"].label = "May sign in"


_ACTIVE_HELP = "Clear it to take all access away; the account and what it did stay."


@admin.register(User)
class AccountAdmin(ForAdministrators, Explained, UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    purpose = "Who may sign in here, and what their role lets them do."
    empty = "Nobody has an account."
    form = AccountForm
    add_form = NewAccountForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "roles", "may_sign_in", "is_active", "last_login", "email")
    list_filter = ("groups", "is_staff", "is_active")
    filter_horizontal = ()
    add_fieldsets = (
        (None, {"fields": ("username", "usable_password", "password1", "password2")}),
        ("Access", {"fields": ("role", "is_staff")}),
    )

    @admin.display(description="role")
    def roles(self, user: User) -> str:
        return ", ".join(role_names(user)) or "none"

    @admin.display(description="may sign in", boolean=True, ordering="is_staff")
    def may_sign_in(self, user: User) -> bool:
        return user.is_staff

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        role = "roles" if _is_own(request, obj) else "role"
        return (
            (None, {"fields": ("username", "password")}),
            ("Person", {"fields": ("first_name", "last_name", "email")}),
            ("Access", {"fields": (role, "is_active", "is_staff", "is_superuser")}),
            ("Dates", {"fields": ("last_login", "date_joined")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = ["last_login", "date_joined"]
        if obj is not None and _is_own(request, obj):
            return [*fixed, "roles", "is_active", "is_staff", "is_superuser"]
        return fixed if request.user.is_superuser else [*fixed, "is_superuser"]

    def get_form(  # type: ignore[override]
        self, request: HttpRequest, obj: User | None = None, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, **kwargs)
        form.asker = request.user
        if obj is not None and _is_own(request, obj):
            # Not only unseen: whatever is sent, it is not read.
            form.base_fields.pop("role", None)
        return form

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if "role" in form.changed_data:
            role = form.cleaned_data["role"]
            form.instance.groups.set([role] if role else [])

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and _is_own(request, obj):
            return False
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


class ScopesField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """The permissions that give a scope, each with what it allows."""

    def label_from_instance(self, obj: Any) -> str:
        scope = Scope(obj.codename.removeprefix("scope_"))
        return f"{scope}: {MEANINGS[scope]}"


@admin.register(Group)
class RoleAdmin(ForAdministrators, Explained, GroupAdmin, ModelAdmin):  # type: ignore[misc]
    purpose = "Named sets of scopes that people have."
    empty = "There is no role. The built-in ones are made again by the next start."
    list_display = ("name", "scopes")

    @admin.display(description="scopes")
    def scopes(self, role: Group) -> str:
        return ", ".join(scope for scope in Scope if scope in _scopes_of(role)) or "none"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        rows: QuerySet[Group] = super().get_queryset(request)
        return rows.prefetch_related("permissions")

    def formfield_for_manytomany(  # type: ignore[override]
        self, db_field: Any, request: Any, **kwargs: Any
    ) -> Any:
        codes = [permission_of(scope) for scope in Scope]
        return ScopesField(
            Permission.objects.filter(content_type__app_label=LABEL, codename__in=codes).order_by(
                "id"
            ),
            label="scopes",
            required=False,
            widget=UnfoldAdminCheckboxSelectMultipleWidget(),
            help_text="What people with this role may do.",
        )


def _scopes_of(role: Group | None) -> frozenset[Scope]:
    codes = {row.codename for row in role.permissions.all()} if role else set()
    return frozenset(scope for scope in Scope if permission_of(scope) in codes)


def _is_own(request: HttpRequest, account: User) -> bool:
    return account.pk == request.user.pk


def _may_touch(request: HttpRequest, account: User | None) -> bool:
    return account is None or not account.is_superuser or request.user.is_superuser
