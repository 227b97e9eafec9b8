"""How much a job asks of the engine at once: all it takes while nobody waits, little beside people.

The queue lets people's texts go first. It cannot stop a batch that runs, and two that run share the
cores: so jobs ask for little, and pause, while people are being answered. Pure: the clock is given.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.recording import Recorder
from inference.records import SHADOW, PredictionRecord

JOB_DIALECT = "job"


class Attention:
    """A recorder that notes when somebody other than a job last got an answer."""

    def __init__(self, inner: Recorder, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner, self._clock = inner, clock
        self._last_at = -float("inf")

    def record(self, records: Sequence[PredictionRecord]) -> None:
        if records and records[0].dialect != JOB_DIALECT and records[0].route != SHADOW:
            self._last_at = self._clock()
        self._inner.record(records)

    def quiet_s(self) -> float:
        """Seconds since the last answer to a person."""
        return self._clock() - self._last_at


@dataclass(frozen=True, slots=True)
class Pace:
    """How a job goes: `n_texts` in one call, then a pause of `rest` times what the call took; what
    is finished is kept every `n_rows`.
    """

    n_texts: int
    n_rows: int
    rest: float


# At most half the smallest queue (BELLWETHER_MAX_QUEUE): what jobs may fill.
ALONE = Pace(n_texts=32, n_rows=256, rest=0.0)
BESIDE_PEOPLE = Pace(n_texts=1, n_rows=8, rest=2.0)
# Where people leave no room, the queue lets a job have one small batch a second: it is not lost
# on a single text, and waiting was pause enough.
IN_A_CROWD = Pace(n_texts=4, n_rows=8, rest=0.0)
CROWDED_S = 0.4
# People who were there a moment ago are expected back.
EXPECTED_S = 5.0


def choose_pace(quiet_s: float, last_call_s: float) -> Pace:
    """How to go on when the last answer to a person is `quiet_s` seconds old, and the job's own
    last call took `last_call_s`.
    """
    if quiet_s >= EXPECTED_S:
        return ALONE
    return IN_A_CROWD if last_call_s >= CROWDED_S else BESIDE_PEOPLE
