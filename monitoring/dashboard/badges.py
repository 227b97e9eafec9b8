"""What the navigation shows beside a link: short, and read at most every few seconds."""

import threading
import time
from collections.abc import Callable

from monitoring.dashboard.home import count_firing

FRESH_S = 5.0


class Remembered:
    """A number and when it was read; read anew by whoever comes first after FRESH_S."""

    def __init__(
        self, read: Callable[[], int], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._clock = read, clock
        self._value, self._read_at = 0, float("-inf")
        self._lock = threading.Lock()

    def get(self) -> int:
        if self._clock() - self._read_at < FRESH_S or not self._lock.acquire(blocking=False):
            return self._value
        try:
            self._value, self._read_at = self._read(), self._clock()
        finally:
            self._lock.release()
        return self._value

    def forget(self) -> None:
        """Read anew the next time: for tests."""
        self._read_at = float("-inf")


firing = Remembered(count_firing)


def firing_alerts() -> str:
    """As "3 firing"; empty where none does, and then there is no badge."""
    n = firing.get()
    return f"{n} firing" if n else ""
