"""Which version a monitor means now, and since when that one answers."""

from dataclasses import dataclass
from datetime import datetime

from registry import queries as registry
from registry.errors import RegistryError


@dataclass(frozen=True, slots=True)
class Subject:
    """One version that is looked at; `live_since` is None where it was named, not live."""

    model: str
    version: int
    live_since: datetime | None


def resolve(model: str, version: int | None) -> Subject | None:
    """The version named, or the one that is live now; None where there is none.

    A version that was deleted, or a model, has no subject either.
    """
    try:
        if version is not None:
            return Subject(model, registry.load_version(model, version).number, None)
        live = registry.load_live_version(model)
        if live is None:
            return None
        return Subject(model, live.number, registry.load_live_since(model))
    except RegistryError:
        return None
