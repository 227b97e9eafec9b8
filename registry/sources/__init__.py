"""Where a version's files can come from. A source lists regular files and opens them by path."""

from collections.abc import Mapping
from typing import BinaryIO, Protocol


class Source(Protocol):
    """Files by path inside the future version. What a source lists is checked, not trusted."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Size in bytes by path, in the order to read them."""

    @property
    def skipped(self) -> tuple[str, ...]:
        """Paths left out (hidden files and caches), to be told to the user."""

    @property
    def description(self) -> str:
        """What the version's record says about its origin; never a server path."""

    def open(self, path: str) -> BinaryIO:
        """The file's bytes; raises SourceUnreadable."""
