"""What a reader of archives says of each entry (pure)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

CHUNK_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: `size` is what the archive claims; `read` gives at most so many bytes.

    `problem` says why such an entry may not be in a model, "" if it may.
    """

    name: str
    size: int
    read: Callable[[], Iterator[bytes]]
    is_folder: bool = False
    problem: str = ""


def show(name: str) -> str:
    """A member's name, fit for a message."""
    clean = name.encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else "?" for char in clean)[:120]
