"""Which version was live before this one (pure).

Promotions push, rollbacks pop: rolling back twice goes back twice, as undo does. It never toggles,
so nobody returns by a second click to the version that they have just fled from. Promoting again
after a rollback starts from the version returned to.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from registry.specs import EventKind


class Change(NamedTuple):
    """One change of the live version, oldest first in a history."""

    kind: EventKind
    to_number: int


def live_stack(changes: Iterable[Change]) -> list[int]:
    """The versions that rollbacks would walk through, the live one last.

    >>> promoted = lambda n: Change(EventKind.PROMOTED, n)
    >>> live_stack([promoted(1), promoted(2), Change(EventKind.ROLLED_BACK, 1), promoted(3)])
    [1, 3]
    """
    stack: list[int] = []
    for change in changes:
        if change.kind is EventKind.ROLLED_BACK:
            # A rollback may have passed over versions that could no longer be routed.
            while stack and stack[-1] != change.to_number:
                stack.pop()
        if not stack or stack[-1] != change.to_number:
            stack.append(change.to_number)
    return stack


def choose_rollback(
    changes: Iterable[Change], *, live: int, is_routable: Callable[[int], bool]
) -> int | None:
    """The nearest earlier live version that can be routed, or None when there is none.

    Versions that are retired or damaged are passed over.
    """
    stack = live_stack(changes)
    if stack and stack[-1] == live:
        stack.pop()
    return next((n for n in reversed(stack) if n != live and is_routable(n)), None)
