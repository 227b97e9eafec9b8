"""What several tables share."""

from typing import Any

MAX_TEXT_CHARS = 500
MAX_ACTOR_CHARS = 150


def choices(enum: Any) -> list[tuple[str, str]]:
    """The members of a StrEnum as Django's choices."""
    return [(member.value, member.value.replace("_", " ")) for member in enum]
