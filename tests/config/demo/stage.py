"""A service for the player's tests: it answers at once and does what a test tells it to."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from config.demo.script import WATCHING
from config.demo.service import Told
from config.demo.texts import Text

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        # A request takes a moment too.
        self.now += max(seconds, 0.01)


def told(kind: str, id: str, *, at_s: float = 0.0, ended_s: float | None = None) -> Told:
    ended = None if ended_s is None else BEGAN + timedelta(seconds=ended_s)
    fired = BEGAN + timedelta(seconds=at_s)
    return Told(id, kind, "info", f"{kind} is told", fired, ended)


class Stage:
    """`decide` says from all labels and texts so far which alerts there are."""

    def __init__(self, decide: Callable[["Stage"], Sequence[Told]]) -> None:
        self.decide = decide
        self.texts: list[Text] = []
        self.labels: list[tuple[str, str]] = []
        self.verdict = "OK"

    def predict(self, texts: Sequence[Text]) -> list[str]:
        assert len({each.segment for each in texts}) == 1
        first = len(self.texts)
        self.texts.extend(texts)
        return [str(first + i) for i in range(len(texts))]

    def label(self, labels: Sequence[tuple[str, str]]) -> None:
        self.labels.extend(labels)

    def alerts(self) -> list[Told]:
        return list(self.decide(self))

    def monitors(self) -> dict[str, dict[str, Any]]:
        row = {"last_verdict": self.verdict, "last_summary": "as the stage says"}
        return dict.fromkeys(WATCHING, row)

    def f1(self, now: datetime, last: timedelta) -> dict[str, float]:
        return {"value": 0.9, "low": 0.8, "high": 0.95, "n": 100}
