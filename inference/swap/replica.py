"""What this process tells the others, once a second and whenever it matters."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from inference.swap.ports import Desk, ReplicaReport

log = logging.getLogger(__name__)

BEAT_S = 1.0
# So long after a commit a process that still answers as before is taken out of the rotation.
LAG_S = 5.0


class Replica:
    """Reports through `desk` on a thread of its own, so that a long load does not look like death.

    `describe` makes the report, `pending` names models whose routes wait for a commit, `prepared`
    and `applied` give the generation that each model is ready for, and is served at.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        describe: Callable[[], ReplicaReport],
        pending: Callable[[], list[str]],
        prepared: Callable[[], Mapping[str, int]],
        applied: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._describe, self._pending = desk, describe, pending
        self._prepared, self._applied, self._clock = prepared, applied, clock
        self._behind_since: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replica", daemon=True)
        self._is_heard = True

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5) -> None:
        """Stop reporting, and take leave; a process that cannot is missed soon enough."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def report(self) -> None:
        """Report now. Raises what the desk raises."""
        # The newest report must also be the last one written.
        with self._lock:
            committed = self._desk.report(self._describe())
        self._look_for_lag(committed)

    def lagging(self) -> list[str]:
        """Models whose committed routes are not served here: `LAG_S` after that was seen, or at
        once where the others went on before this process was ready for them.
        """
        now = self._clock()
        behind = self._behind_since
        return sorted(model for model, since in behind.items() if now - since > LAG_S)

    def fall_behind(self, model: str) -> None:
        """Count as lagging from now on, until a report finds the committed routes served."""
        self._behind_since = {**self._behind_since, model: self._clock() - 2 * LAG_S}

    def beat(self) -> None:
        """Report, and commit what only waited for others: for the late, or the dead."""
        self.report()
        for model in self._pending():
            self._desk.commit(model)

    def _look_for_lag(self, committed: Mapping[str, int]) -> None:
        prepared, applied, now = self._prepared(), self._applied(), self._clock()
        behind = {m for m, generation in committed.items() if applied.get(m, 0) < generation}
        left = {model for model in behind if prepared.get(model, 0) < committed[model]}
        self._behind_since = {
            model: now - 2 * LAG_S if model in left else self._behind_since.get(model, now)
            for model in behind
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.beat()
                self._is_heard = True
            except Exception:
                if self._is_heard:
                    log.exception("cannot report to the registry; serving goes on")
                self._is_heard = False
            self._stop.wait(BEAT_S)
        # In this thread, so that the caller of `stop` keeps what it has open.
        try:
            self._desk.leave()
        except Exception as error:
            log.info("cannot take leave of the other replicas: %s", error)
        self._desk.hang_up()
