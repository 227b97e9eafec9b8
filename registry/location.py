"""Where this deployment keeps its artifacts."""

from pathlib import Path

from django.conf import settings

from registry.store import Store


def open_store() -> Store:
    """The artifact store under BELLWETHER_HOME; costs nothing, so it is asked for every time."""
    return Store(Path(settings.BELLWETHER_HOME) / "artifacts")
