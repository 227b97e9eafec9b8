"""What people may do: their scopes, which their roles or permissions give them.

People and keys are asked the same question, so an act needs one scope however it is begun.
"""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest

from access.roles import ROLES, permission_of
from access.scopes import EVERY_SCOPE, Scope, has_scope

LABEL = "access"


def scopes_of(user: Any) -> frozenset[Scope]:
    """The scopes of an account: all of a superuser, those it was given of other staff, else none.

    Asks the database twice for each `user` object, however often it is called.
    """
    if not (user.is_active and user.is_staff):
        return frozenset()
    if user.is_superuser:
        return EVERY_SCOPE
    held = user.get_all_permissions()
    return frozenset(scope for scope in Scope if f"{LABEL}.{permission_of(scope)}" in held)


def can(request: HttpRequest, scope: Scope) -> bool:
    """Whether the person who is signed in may do what asks for `scope`."""
    return has_scope(scopes_of(request.user), scope)


def may_read(request: HttpRequest) -> bool:
    """`can` for `read`; these four are named in the navigation."""
    return can(request, Scope.READ)


def may_feedback(request: HttpRequest) -> bool:
    return can(request, Scope.FEEDBACK)


def may_predict(request: HttpRequest) -> bool:
    return can(request, Scope.PREDICT)


def may_admin(request: HttpRequest) -> bool:
    return can(request, Scope.ADMIN)


def role_names(user: Any) -> tuple[str, ...]:
    """The roles of an account by name; "superuser" where it is one."""
    names = tuple(sorted(group.name for group in user.groups.all()))
    return ("superuser", *names) if user.is_superuser else names


def get_actor(request: HttpRequest) -> str:
    """Who acts in the admin, as events keep it."""
    return f"{request.user.get_username()} (admin)"


def make_roles(**_: Any) -> None:
    """Make the groups that are missing; what an administrator made of one stays as it is."""
    permissions = {
        row.codename: row
        for row in Permission.objects.filter(
            content_type__app_label=LABEL, codename__in=[permission_of(scope) for scope in Scope]
        )
    }
    for name, scopes in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(permissions[permission_of(scope)] for scope in scopes)
