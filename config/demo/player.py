"""Plays the acts against a service: sends texts at a pace, looks, and goes on when it is time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice

from config.demo.board import F1, Board, Line, Verdict
from config.demo.script import CALM, WATCHING, Act, Script, Seen, Wanted, is_reached, rounds, texts
from config.demo.service import DemoError, Service, Told
from config.demo.texts import Text

BATCH = 10
LOOK_S = 1.0
# Quality is asked of whole minutes: this one, and the one before while this has hardly begun.
F1_OF = timedelta(seconds=10)
Refresh = Callable[[], object]
Hear = Callable[[Line], object]


@dataclass(slots=True)
class _Sent:
    """One act's texts so far; the wait counts from the moment that all of them were sent."""

    began: float
    n: int = 0
    done_at: float | None = None


@dataclass(slots=True)
class Player:
    """One play; `hear` is told what happens, `refresh` that the board has changed."""

    service: Service
    script: Script
    board: Board
    hear: Hear
    refresh: Refresh
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    surprises: list[str] = field(default_factory=list)
    _known: dict[str, Told] = field(default_factory=dict)
    _began: float = 0.0
    _looked_at: float = 0.0
    _n_at_look: int = 0

    def play(self, seed: int, *, is_loop: bool = False) -> None:
        """All acts once, or until somebody stops it. Raises DemoError, or for a wait in vain."""
        self._began = self._looked_at = self.clock()
        self._known = {alert.id: alert for alert in self.service.alerts()}
        if any(alert.resolved_at is None for alert in self._known.values()):
            self._act(CALM, 0, seed)
        for turn, act, texts_seed in rounds(self.script, seed, is_loop=is_loop):
            self.board.turn = turn
            self._act(act, 1 + self.script.acts.index(act), texts_seed)

    def _act(self, act: Act, number: int, seed: int) -> None:
        board, source = self.board, texts(act, seed)
        board.act, board.number, board.n_sent = act, number, 0
        self._note("act", f"{number}. {act.title}: {act.shows}" if number else act.shows)
        sent = _Sent(self.clock())
        while not self._is_over(act, sent):
            self._send(list(islice(source, BATCH)))
            sent.n += BATCH
            board.n_sent = sent.n
            self.sleep(max(0.0, sent.began + sent.n / act.pace - self.clock()))
        self._note("done", f"{act.wanted.value} after {self.clock() - sent.began:.0f} s")

    def _is_over(self, act: Act, sent: _Sent) -> bool:
        now = self.clock()
        if now - self._looked_at < LOOK_S:
            return False
        self._look(now, act)
        if sent.n < act.n:
            return False
        if is_reached(act.wanted, self._seen()):
            return True
        sent.done_at = sent.done_at or now
        if now - sent.done_at > self.script.longest_wait_s:
            raise DemoError(self._why_not(act))
        return False

    def _send(self, batch: list[Text]) -> None:
        """Predictions of a batch, a request for each segment, and what is true of them."""
        for rows in _by_segment(batch):
            ids = self.service.predict(rows)
            pairs = zip(ids, rows, strict=True)
            labels = [(id, row.label) for id, row in pairs if row.label is not None]
            if labels:
                self.service.label(labels)
        self.board.n_total += len(batch)

    def _look(self, now: float, act: Act) -> None:
        board = self.board
        board.elapsed_s = now - self._began
        board.rate = (board.n_total - self._n_at_look) / max(1e-6, now - self._looked_at)
        board.rates.append(board.rate)
        self._looked_at, self._n_at_look = now, board.n_total
        monitors = self.service.monitors()
        board.verdicts = tuple(
            Verdict(name, str(monitors[name]["last_verdict"] or ""), monitors[name]["last_summary"])
            for name in WATCHING
            if name in monitors
        )
        board.f1 = F1(**self.service.f1(datetime.now(UTC), F1_OF))
        for alert in reversed(self.service.alerts()):
            self._take(alert, act)
        firing = (each for each in self._known.values() if each.resolved_at is None)
        board.firing = tuple(f"{each.kind} ({each.severity})" for each in firing)
        self.refresh()

    def _take(self, alert: Told, act: Act) -> None:
        """Tell what is new about an alert."""
        before = self._known.get(alert.id)
        self._known[alert.id] = alert
        if before is None:
            self._note("fires", _shown(alert), self._at(alert.fired_at))
            if act.wanted is Wanted.QUIET:
                self.surprises.append(f"{alert.kind} fired while all was well: {alert.summary}")
        elif before.severity != alert.severity:
            self._note("rises", _shown(alert))
        if alert.resolved_at and (before is None or before.resolved_at is None):
            self._note("resolves", alert.kind, self._at(alert.resolved_at))

    def _seen(self) -> Seen:
        firing = {each.kind for each in self._known.values() if each.resolved_at is None}
        return Seen(firing, {each.monitor: each.verdict for each in self.board.verdicts})

    def _at(self, moment: datetime) -> float:
        return (moment - self.board.began_at).total_seconds()

    def _note(self, kind: str, text: str, at_s: float | None = None) -> None:
        self.board.elapsed_s = self.clock() - self._began
        self.hear(self.board.note(kind, text, at_s))
        self.refresh()

    def _why_not(self, act: Act) -> str:
        said = "; ".join(f"{each.monitor}: {each.summary}" for each in self.board.verdicts)
        return (
            f"Act {self.board.number} waited {self.script.longest_wait_s:.0f} s for this in vain: "
            f"{act.wanted.value}. The monitors said: {said or 'nothing'}. A worker evaluates them; "
            "the service's log tells whether one runs."
        )


def _by_segment(batch: list[Text]) -> Iterator[list[Text]]:
    ordered = sorted(batch, key=lambda each: each.segment)
    return (list(rows) for _, rows in groupby(ordered, key=lambda each: each.segment))


def _shown(alert: Told) -> str:
    return f"{alert.kind} ({alert.severity}): {alert.summary}"
