"""The roles that people have: named sets of scopes, kept as Django groups. Pure."""

from access.scopes import Scope

ROLES = {
    "viewer": frozenset({Scope.READ}),
    "labeller": frozenset({Scope.READ, Scope.FEEDBACK}),
    "operator": frozenset(
        {Scope.READ, Scope.FEEDBACK, Scope.PREDICT, Scope.PUSH, Scope.PROMOTE},
    ),
    "admin": frozenset(Scope),
}
"""Each may do all that the one before it may, and more."""


def permission_of(scope: Scope) -> str:
    """The code name of the Django permission that gives a person `scope`."""
    return f"scope_{scope}"
