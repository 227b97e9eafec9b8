"""What only a serving process knows of itself, asked without knowing that process's parts.

The composition registers a probe for each fact; another process has none, and says so. A probe may
fail or hang: the page it is for comes all the same.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass

log = logging.getLogger(__name__)

TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """A fact in words; `state` is good, warn or bad, or empty where it is neither."""

    value: str
    state: str = ""
    note: str = ""


Probe = Callable[[], Reading]


class Probes:
    """Probes by name, read together within `timeout_s`, each in a thread of its own."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._probes: dict[str, Probe] = {}
        self._running: dict[str, Future[Reading]] = {}

    def register(self, name: str, probe: Probe) -> None:
        self._probes[name] = probe

    def clear(self) -> None:
        """Forget all probes, as the process's parts stop."""
        self._probes = {}

    def read(self) -> dict[str, Reading]:
        """What each probe found. One that hangs is not asked again before it has answered."""
        asked = {name: self._ask(name, probe) for name, probe in list(self._probes.items())}
        wait(asked.values(), self._timeout_s)
        return {name: _settled(name, future) for name, future in asked.items()}

    def _ask(self, name: str, probe: Probe) -> Future[Reading]:
        before = self._running.get(name)
        if before is not None and not before.done():
            return before
        future: Future[Reading] = Future()
        self._running[name] = future
        # No pool: the end of the process must not wait for a probe that hangs.
        threading.Thread(
            target=_run, args=(probe, future), name=f"probe-{name}", daemon=True
        ).start()
        return future


def _run(probe: Probe, future: Future[Reading]) -> None:
    started = time.monotonic()
    try:
        future.set_result(probe())
    except Exception as error:
        future.set_exception(error)
    if (took := time.monotonic() - started) > TIMEOUT_S:
        log.warning("%s took %.1f s", threading.current_thread().name, took)


def _settled(name: str, future: Future[Reading]) -> Reading:
    if not future.done():
        return Reading("does not answer", "warn", "It was asked, and has not said anything yet.")
    error = future.exception()
    if error is None:
        return future.result()
    log.warning("the probe %s failed: %r", name, error)
    return Reading("cannot be read", "bad", f"{type(error).__name__}: {error}"[:300])


probes = Probes()
"""Those of this process."""
