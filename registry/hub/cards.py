"""What is wrong with a model card."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, cast


class Lint(NamedTuple):
    """Complaints about a card: errors keep it out, warnings do not."""

    errors: Sequence[str]
    warnings: Sequence[str]


def lint(text: str) -> Lint:
    """Look a card over."""
    try:
        check = cast(Callable[[str], Any], import_module("registry.cards").lint_card)
    except (ImportError, AttributeError):
        return Lint((), ())
    found = check(text)
    return Lint(found.errors, found.warnings)
