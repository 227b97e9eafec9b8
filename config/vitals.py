"""What a serving process tells the dashboard of itself: probes over the parts it is made of."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import connections

from inference.engine.engine import Engine
from inference.jobs.services import count_unfinished
from inference.journal import SET_ASIDE, Journal
from inference.reconciler import Reconciler
from inference.swap.memory import read_memory
from monitoring.dashboard.probes import Reading, probes
from monitoring.recorder import JournalWriter

LATE_S, LOST_S = 5.0, 60.0
"""A row follows its answer within a second; as many seconds behind is slow, or stuck."""
BUSY = 0.5
SCARCE, SPENT = 0.85, 0.95


def register(
    engine: Engine, writer: JournalWriter, journal: Journal, reconciler: Reconciler
) -> None:
    """Let the dashboard of this process ask these parts."""
    found: dict[str, Callable[[], Reading]] = {
        "readiness": partial(readiness, engine, reconciler),
        "queue": partial(queue, engine),
        "recorder": partial(recorder, writer),
        "journal": partial(kept, journal, writer),
        "jobs": jobs,
        "memory": memory,
    }
    for name, probe in found.items():
        probes.register(name, probe)


def forget() -> None:
    """Take the probes away, before the parts stop."""
    probes.clear()


def readiness(engine: Engine, reconciler: Reconciler) -> Reading:
    reasons = list(reconciler.reasons())
    if not reconciler.is_registry_reachable:
        reasons.append("the registry cannot be read; what is loaded goes on serving")
    if not engine.is_healthy:
        reasons.append("a lane of the engine has died and is starting again")
    return Reading("no", "bad", "; ".join(reasons)) if reasons else Reading("yes", "good")


def queue(engine: Engine) -> Reading:
    depth, most = engine.depth, int(settings.BELLWETHER_MAX_QUEUE)
    state = "warn" if depth > BUSY * most else "good"
    return Reading(
        f"{depth:,} of {most:,} texts", state, f"{engine.queued_tokens:,} tokens in them."
    )


def recorder(writer: JournalWriter) -> Reading:
    lag_s = writer.lag_s()
    state = "bad" if lag_s > LOST_S else "warn" if lag_s > LATE_S or writer.last_error else "good"
    return Reading(f"{lag_s:.1f} s behind", state, writer.last_error)


def kept(journal: Journal, writer: JournalWriter) -> Reading:
    """How much lies in the journals of this machine, and what could not be read of them."""
    n_bytes = sum(_size(path) for path in journal.root.glob("*/*.seg"))
    n_aside = sum(1 for _ in (journal.root / SET_ASIDE).glob("*"))
    value = f"{n_bytes / 1e6:,.1f} MB"
    if not n_aside and not writer.n_corrupt:
        return Reading(value, "good")
    return Reading(value, "warn", f"{n_aside:,} damaged pieces lie in {SET_ASIDE}.")


def jobs() -> Reading:
    """Runs in a thread of its own, whose connection ends with it."""
    try:
        n_queued, n_running = count_unfinished()
    finally:
        connections.close_all()
    return Reading(f"{n_queued:,} waiting, {n_running:,} running")


def memory() -> Reading:
    found = read_memory(settings.BELLWETHER_MEMORY_LIMIT_BYTES)
    share = found.used / found.limit
    state = "bad" if share > SPENT else "warn" if share > SCARCE else "good"
    value = f"{found.used / 1e9:,.1f} of {found.limit / 1e9:,.1f} GB"
    return Reading(value, state, f"The limit is that of {found.where}.")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # kept and discarded while we looked
        return 0
