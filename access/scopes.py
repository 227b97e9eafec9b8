"""What a key may do. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from access.errors import InvalidKeyFields


class Scope(StrEnum):
    """One kind of thing that a key may do; `admin` implies every other."""

    PREDICT = "predict"
    FEEDBACK = "feedback"
    READ = "read"
    PUSH = "push"
    PROMOTE = "promote"
    ADMIN = "admin"


EVERY_SCOPE = frozenset(Scope)
MEANINGS = {
    Scope.PREDICT: "ask models, by the playground too",
    Scope.FEEDBACK: "say what was true of predictions",
    Scope.READ: "look at models, predictions, quality, drift and alerts",
    Scope.PUSH: "bring models and versions in",
    Scope.PROMOTE: "route versions, back up, handle alerts",
    Scope.ADMIN: "everything, keys, people and settings included",
}
"""What a scope allows, in a few words."""


def parse_scopes(names: object) -> tuple[Scope, ...]:
    """Return the scopes called `names`, each once, in the order of `Scope`.

    Raises InvalidKeyFields (field `scopes`) when there is none, when one is unknown, or when
    `names` is not a list of words at all.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise _refused("expected a list of scope names")
    given = list(names)
    if not given:
        raise _refused("a key needs at least one scope")
    unknown = [name for name in given if not _is_scope(name)]
    if unknown:
        raise _refused(f"{str(unknown[0])[:40]!r} is not a scope")
    return tuple(scope for scope in Scope if scope in given)


def has_scope(held: frozenset[Scope], needed: Scope) -> bool:
    """Whether `held` lets its owner do what asks for `needed`."""
    return needed in held or Scope.ADMIN in held


def _is_scope(name: object) -> bool:
    return isinstance(name, str) and name in EVERY_SCOPE


def _refused(why: str) -> InvalidKeyFields:
    return InvalidKeyFields(
        f"scopes: {why}; use one or more of {', '.join(Scope)}", details={"field": "scopes"}
    )
