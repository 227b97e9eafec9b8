"""Whether a shadow is still worth its copies. Pure: the clock is an argument.

It is switched off for one of three reasons, and stays off until somebody routes the model anew:

- failing: MAX_FAILURES passes in a row failed;
- behind: in MAX_BAD_WINDOWS windows in a row more texts were dropped than compared;
- stuck: a pass has not come back (`stick`).
"""

import threading

MAX_FAILURES = 10
MAX_BAD_WINDOWS = 3
WINDOW_S = 10.0


class ShadowHealth:
    """What one shadow of one set of routes has done; may be told from any thread.

    Each teller returns the reason if that was what switched it off, otherwise "".
    """

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._n_failed = 0
        self._n_compared = 0
        self._n_dropped = 0
        self._n_bad = 0
        self._window_ends = now + WINDOW_S
        self.off = ""

    def compared(self, n: int) -> None:
        with self._lock:
            self._n_failed = 0
            self._n_compared += n

    def failed(self) -> str:
        with self._lock:
            self._n_failed += 1
            return self._switch_off("failing") if self._n_failed >= MAX_FAILURES else ""

    def offered(self, n_dropped: int, now: float) -> str:
        """A call was offered; `n_dropped` of its texts found no room."""
        with self._lock:
            self._n_dropped += n_dropped
            if now < self._window_ends:
                return ""
            self._n_bad = self._n_bad + 1 if self._n_dropped > self._n_compared else 0
            self._n_dropped = self._n_compared = 0
            self._window_ends = now + WINDOW_S
            return self._switch_off("behind") if self._n_bad >= MAX_BAD_WINDOWS else ""

    def stick(self) -> str:
        with self._lock:
            return self._switch_off("stuck")

    def _switch_off(self, reason: str) -> str:
        if self.off:
            return ""
        self.off = reason
        return reason
