"""The gate for the management plane: Django REST framework's three hooks, one after the other.

They raise BellwetherErrors; the plane's exception handler gives them their shape and status.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from access.entrance import get_gate
from access.errors import MissingKey
from access.gate import invalid, take_key
from access.keyring import KeyFacts
from access.persons import scopes_of
from access.scopes import Scope

if TYPE_CHECKING:
    # The framework imports this module while it is still importing its own views.
    from rest_framework.views import APIView


class ServiceUser:
    """Stands in `request.user` for a key without an owner: logged in, and nobody in particular."""

    pk = None
    id = None
    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    def __init__(self, facts: KeyFacts) -> None:
        self.username = f"key:{facts.id}"

    def __str__(self) -> str:
        return self.username

    def get_username(self) -> str:
        return self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return False

    def has_perms(self, perm_list: object, obj: object = None) -> bool:
        return False


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>` or `X-API-Key: <key>`.

    Sets `request.auth` to the KeyFacts and `request.user` to the key's owner or a ServiceUser. A
    request without any key is left to the next authentication class; HasScope refuses it at last.
    """

    def authenticate(
        self, request: Request
    ) -> tuple[AbstractBaseUser | ServiceUser, KeyFacts] | None:
        gate = get_gate()
        authorization = request.META.get("HTTP_AUTHORIZATION")
        x_api_key = request.META.get("HTTP_X_API_KEY")
        try:
            facts = gate.identify(authorization, x_api_key)
        except MissingKey:
            return None
        return _user_of(facts), facts

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """Asks for the scope that the view's `required_scopes` names for the method.

    `required_scopes` maps GET, POST, … to a scope; a method it leaves out needs `read` when it is
    safe and `admin` otherwise. HEAD needs what GET needs. Raises MissingKey or ScopeMissing.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        facts = get_facts(request)
        if facts is None:
            # Only now: another authentication class might have known the caller.
            take_key(request.META.get("HTTP_AUTHORIZATION"), request.META.get("HTTP_X_API_KEY"))
            raise invalid()
        get_gate().authorize(facts, needed_scope(view, str(request.method)))
        return True


class KeyThrottle(BaseThrottle):
    """Counts the request under its key or account; raises RateLimited.

    Views that let anybody in are not counted: nobody is known there.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        facts = get_facts(request)
        if facts is not None:
            get_gate().count(facts)
        return True


def get_facts(request: Request) -> KeyFacts | None:
    """Return what is known of who asks: the key's facts, or ones made up for a logged-in account.

    An account's session holds the scopes that its roles give it.
    """
    if isinstance(request.auth, KeyFacts):
        return request.auth
    user = request.user
    if user is None or not user.is_authenticated:
        return None
    return KeyFacts(
        id=f"user:{user.pk}",
        name=user.get_username(),
        scopes=scopes_of(user),
        owner_id=user.pk,
    )


def get_actor(request: Request) -> str:
    """Who asks, as events keep it; "unknown" where no key was needed."""
    facts = get_facts(request)
    return facts.actor if facts else "unknown"


def needed_scope(view: "APIView", method: str) -> Scope:
    """Return the scope that this method of the view asks for."""
    scopes: Mapping[str, str] = getattr(view, "required_scopes", {})
    name = scopes.get(method) or (scopes.get("GET") if method == "HEAD" else None)
    if name is None:
        return Scope.READ if method in SAFE_METHODS else Scope.ADMIN
    return Scope(name)


def _user_of(facts: KeyFacts) -> AbstractBaseUser | ServiceUser:
    if facts.owner_id is None:
        return ServiceUser(facts)
    owner = get_user_model()._default_manager.filter(pk=facts.owner_id, is_active=True).first()
    if owner is None:
        raise invalid()
    return owner
