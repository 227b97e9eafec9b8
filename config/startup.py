"""What must be there before the server can start: tables, a first key, the starter model."""

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from access.services import FirstRun, create_first_run
from registry import queries, services
from registry.errors import ModelNotFound

STARTER = "starter/sentiment"
STARTER_DIRECTORY = Path(settings.BASE_DIR) / "starter" / "model"
ACTOR = "bellwether serve"
Write = Callable[[str], object]


def prepare(write: Write, *, with_starter: bool) -> FirstRun | None:
    """Bring the home folder up to date, telling each step; quick when all is there.

    Returns the first account and key if this start made them.
    """
    write(f"[1/4] Bringing the database up to date (home: {settings.BELLWETHER_HOME})")
    call_command("migrate", interactive=False, verbosity=0)
    write("[2/4] Checking the admin account and the first key")
    first_run = create_first_run(settings.BELLWETHER_HOME, public_url())
    write("[3/4] Checking the models")
    services.recover()
    services.adopt_versions()
    if with_starter:
        _register_starter(write)
    return first_run


def public_url(port: int | None = None) -> str:
    """Return the address to paste; a server that listens everywhere is reachable as localhost."""
    host = settings.BELLWETHER_HOST
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{settings.BELLWETHER_PORT if port is None else port}"


def _register_starter(write: Write) -> None:
    """Register, verify and promote the starter model, unless this home serves or has replaced it.

    Each step may be repeated: a start that was killed between two of them is finished by the next.
    """
    if _has_live_version(STARTER):
        return
    spec = services.register_directory(
        STARTER_DIRECTORY, STARTER, actor=ACTOR, note="Ships with Bellwether."
    )
    services.verify(STARTER, spec.number, actor=ACTOR)
    services.promote(STARTER, spec.number, actor=ACTOR, reason="first start")
    write(f"      registered and verified {STARTER} v{spec.number} ({spec.n_bytes / 1e6:.1f} MB)")


def _has_live_version(model: str) -> bool:
    try:
        return queries.load_live_version(model) is not None
    except ModelNotFound:
        return False
