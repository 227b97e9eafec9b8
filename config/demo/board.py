"""What the demo shows at one moment: facts only, drawn by `view`. Pure."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from config.demo.script import Act

SHOWN_RATES = 60


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened `at_s` seconds after the play began."""

    at_s: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a monitor said last."""

    monitor: str
    verdict: str
    summary: str


@dataclass(frozen=True, slots=True)
class F1:
    """Macro F1 by the newest labels, with its interval; None where there are none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(slots=True)
class Board:
    """The state of the play; only the player writes to it."""

    addresses: dict[str, str]
    n_acts: int
    began_at: datetime
    turn: int = 1
    act: Act | None = None
    number: int = 0
    n_sent: int = 0
    n_total: int = 0
    rate: float = 0.0
    elapsed_s: float = 0.0
    f1: F1 = field(default_factory=F1)
    verdicts: tuple[Verdict, ...] = ()
    firing: tuple[str, ...] = ()
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=200))
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=SHOWN_RATES))

    def note(self, kind: str, text: str, at_s: float | None = None) -> Line:
        """Remember what happened, now unless told; the line that was made."""
        line = Line(self.elapsed_s if at_s is None else at_s, kind, text)
        self.lines.append(line)
        return line
