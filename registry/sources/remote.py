"""A remote endpoint as a source of one file: what is known of it."""

import io
from collections.abc import Mapping
from typing import BinaryIO

from registry.errors import SourceUnreadable
from registry.remote.facts import REMOTE, RemoteFacts, check_url


class RemoteSource:
    """`remote.json` of an endpoint; nothing is fetched."""

    def __init__(self, facts: RemoteFacts) -> None:
        self._facts, self._data = facts, facts.data

    @property
    def sizes(self) -> Mapping[str, int]:
        return {REMOTE: len(self._data)}

    @property
    def skipped(self) -> tuple[str, ...]:
        return ()

    @property
    def description(self) -> str:
        facts = self._facts
        if facts.endpoint:
            return f"endpoint {facts.namespace}/{facts.endpoint}"
        return f"endpoint at {check_url(facts.url).host[:150]}"

    def open(self, path: str) -> BinaryIO:
        if path != REMOTE:
            raise SourceUnreadable(f"{path} is not a file of an endpoint")
        return io.BytesIO(self._data)
