"""Copies of answered calls for shadow versions, behind everybody's back.

    answer on its way → sample → bounded queue → one thread in the background → journal

Nothing here can fail or delay an answer: copies are offered after it, dropped where they find no
room, and run on a thread of their own rather than in the engine, whose lanes a shadow that hangs
would hold for good. A shadow that keeps failing, falling behind or hanging is switched off
(`inference.shadow_health`) until its model is routed anew. It costs no key its rate, is no part of
the model's quality, and gets no feedback.
"""

import logging
import math
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from inference import decoding, metrics
from inference.comparing import Primary, compared, is_agreed, not_compared
from inference.errors import RequestError
from inference.predictor import Predictor
from inference.recording import Recorder
from inference.records import PredictionRecord
from inference.runtimes.background import enter_background
from inference.serving import NOTHING_LOADED, LiveRoute, ServedModel, Serving
from inference.shadow_health import ShadowHealth
from inference.tasks.inputs import Input, n_chars
from inference.tasks.ports import Encoded, Forwarded, Task, flatten, regroup
from registry.specs import VersionSpec

log = logging.getLogger(__name__)

MAX_TEXTS = 512
MAX_CHARS = 1_000_000
BATCH = 8
MAX_PASS_S = 30.0
# Threads that never came back; beyond that the process copies nothing any more.
MAX_LOST = 3
# While requests come, shadows rest nine times as long as they compute: they get a tenth of one core
# at most, and less where the machine is so busy that passes take long.
REST = 9.0
MAX_REST_S = 2.0
QUIET_S = 0.25
REST_STEP_S = 0.005
STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class _Copy:
    predictor: Predictor
    health: ShadowHealth
    inputs: Sequence[Input]
    primary: Primary
    n_chars: int


class _Worker:
    """One thread and its queue; `running` is what it works on, and since when.

    A thread that does not come back is left behind with its queue: another one takes over.
    """

    def __init__(self, work: Callable[["_Worker"], None]) -> None:
        self.copies: queue.SimpleQueue[_Copy | None] = queue.SimpleQueue()
        self.running: tuple[_Copy, float] | None = None
        self.last_pass_s = 0.0
        self.is_lost = False
        self.thread = threading.Thread(target=work, args=(self,), name="shadow", daemon=True)
        self.thread.start()

    def leave(self) -> None:
        self.is_lost = True
        self.copies.put(None)


class Shadowing:
    """Offers copies and compares answers. `draw` gives numbers in [0, 1); `is_busy` says whether
    requests are being answered now.
    """

    def __init__(
        self,
        serving: Serving,
        recorder: Recorder,
        *,
        is_busy: Callable[[], bool] = lambda: False,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._serving, self._recorder, self._is_busy = serving, recorder, is_busy
        self._draw, self._clock, self._wall_clock = draw, clock, wall_clock
        self._health: dict[tuple[str, int], tuple[int, Predictor, ShadowHealth]] = {}
        self._counting = threading.Lock()
        self._n_texts = self._n_chars = 0
        self._worker: _Worker | None = None
        self._offered_at = -math.inf
        self._n_lost = 0
        self._is_stopped = False

    @property
    def n_waiting(self) -> int:
        """Texts that wait for a shadow, or run."""
        return self._n_texts

    def offer(self, served: ServedModel, inputs: Sequence[Input], primary: Primary) -> None:
        """Take copies of an answered call for each shadow that is drawn; never raises, never
        waits. Called on the event loop.
        """
        try:
            self._offered_at = time.monotonic()
            for route in served.shadows:
                if self._draw() * 100 < route.weight:
                    self._offer(route, served.generation, inputs, primary)
        except Exception:
            log.exception("bug in shadowing; answers are not concerned")

    def stop(self) -> None:
        """Copy nothing more; what waits is dropped."""
        self._is_stopped = True
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.leave()
            worker.thread.join(STOP_S)

    def _offer(
        self, route: LiveRoute, generation: int, inputs: Sequence[Input], primary: Primary
    ) -> None:
        now, n = self._clock(), len(inputs)
        health = self._health_of(route.predictor, generation, now)
        self._look_after(now)
        spec = route.predictor.spec
        if health.off or self._is_stopped or self._n_lost >= MAX_LOST:
            _dropped(spec, "off", n)
            return
        size = sum(map(n_chars, inputs))
        has_room = self._n_texts + n <= MAX_TEXTS and self._n_chars + size <= MAX_CHARS
        if has_room:
            self._count(n, size)
            copy = _Copy(route.predictor, health, inputs, primary, size)
            if self._worker is None:
                self._worker = _Worker(self._work)
            self._worker.copies.put(copy)
        else:
            _dropped(spec, "full", n)
        self._told(health.offered(0 if has_room else n, now), spec, primary)

    def _health_of(self, predictor: Predictor, generation: int, now: float) -> ShadowHealth:
        key = (predictor.spec.model, predictor.spec.number)
        known = self._health.get(key)
        if known is not None and known[0] == generation and known[1] is predictor:
            return known[2]
        # What other routes had must neither stay in memory nor go on being called off.
        for old in [each for each in self._health if each[0] == key[0]]:
            if old == key or self._health[old][0] != generation:
                del self._health[old]
                metrics.SHADOW_OFF.labels(*old).set(0)
        health = ShadowHealth(now)
        self._health[key] = (generation, predictor, health)
        return health

    def _look_after(self, now: float) -> None:
        """Leave a thread behind that has not come back for too long, and what waited for it."""
        worker = self._worker
        running = worker.running if worker is not None else None
        if worker is None or running is None or now - running[1] < MAX_PASS_S:
            return
        worker.leave()
        self._worker = None
        self._n_lost += 1
        with self._counting:
            self._n_texts = self._n_chars = 0
        stuck = running[0]
        self._told(stuck.health.stick(), stuck.predictor.spec, stuck.primary)

    def _work(self, worker: _Worker) -> None:
        enter_background()
        while not worker.is_lost:
            copy = worker.copies.get()
            if copy is None or worker.is_lost:
                return
            try:
                self._run(worker, copy)
            except Exception:
                log.exception("bug in shadowing; answers are not concerned")
            finally:
                if not worker.is_lost:
                    self._count(-len(copy.inputs), -copy.n_chars)
            # An idle thread holds no version in memory.
            del copy

    def _run(self, worker: _Worker, copy: _Copy) -> None:
        spec = copy.predictor.spec
        if copy.health.off or not self._is_routed(copy.predictor):
            _dropped(spec, "off" if copy.health.off else "unrouted", len(copy.inputs))
            return
        try:
            records = self._compare(worker, copy)
        # Also what would end the thread: the next copy may do better.
        except BaseException as error:
            if not worker.is_lost:
                self._failed(copy, type(error).__name__)
            return
        if not worker.is_lost:
            copy.health.compared(len(records))
            self._record(spec, records)
            for record in records:
                outcome = "agreed" if is_agreed(record) else "flipped"
                metrics.SHADOW_COMPARED.labels(spec.model, spec.number, outcome).inc()

    def _compare(self, worker: _Worker, copy: _Copy) -> list[PredictionRecord]:
        task, spec = copy.predictor.task, copy.predictor.spec
        parameters = _parameters(task, copy.primary.parameters)
        prepared, records = task.encode(copy.inputs, parameters, short=False), []
        passed: list[tuple[Forwarded, float]] = []
        pieces = flatten(prepared)
        for start in range(0, len(pieces), BATCH):
            outputs = self._forward(worker, copy, pieces[start : start + BATCH])
            passed += [(output, worker.last_pass_s / len(outputs)) for output in outputs]
        for index, own in enumerate(regroup(prepared, passed)):
            answer = task.decode(prepared[index], [output for output, _ in own], parameters)
            seconds, at = sum(seconds for _, seconds in own), self._wall_clock()
            records.append(compared(copy.primary, index, spec, answer, seconds=seconds, at=at))
        return records

    def _forward(
        self, worker: _Worker, copy: _Copy, batch: Sequence[Encoded]
    ) -> Sequence[Forwarded]:
        self._rest(worker)
        began = self._clock()
        worker.running = (copy, began)
        try:
            return copy.predictor.forward(batch)
        finally:
            worker.last_pass_s = self._clock() - began
            worker.running = None

    def _rest(self, worker: _Worker) -> None:
        """Let requests go first, for as long as the last pass deserves."""
        ends = time.monotonic() + min(REST * worker.last_pass_s, MAX_REST_S)
        while self._is_traffic() and time.monotonic() < ends and not worker.is_lost:
            time.sleep(REST_STEP_S)

    def _is_traffic(self) -> bool:
        return self._is_busy() or time.monotonic() - self._offered_at < QUIET_S

    def _failed(self, copy: _Copy, error: str) -> None:
        spec = copy.predictor.spec
        log.info("shadow %s v%s failed: %s", spec.model, spec.number, error)
        metrics.SHADOW_COMPARED.labels(spec.model, spec.number, "failed").inc(len(copy.inputs))
        self._note(copy.primary, spec, "failed", error)
        self._told(copy.health.failed(), spec, copy.primary)

    def _told(self, reason: str, spec: VersionSpec, primary: Primary) -> None:
        """Say it once, everywhere, when a shadow was switched off."""
        if not reason:
            return
        metrics.SHADOW_OFF.labels(spec.model, spec.number).set(1)
        log.warning(
            "shadow %s v%s is off (%s) until %s is routed anew",
            spec.model,
            spec.number,
            reason,
            spec.model,
        )
        self._note(primary, spec, "off", reason)

    def _note(self, primary: Primary, spec: VersionSpec, outcome: str, reason: str) -> None:
        at = self._wall_clock()
        record = not_compared(primary, spec, outcome=outcome, reason=reason, at=at)
        self._record(spec, [record])

    def _record(self, spec: VersionSpec, records: list[PredictionRecord]) -> None:
        try:
            self._recorder.record(records)
        except Exception as error:
            _dropped(spec, "unrecorded", len(records))
            log.warning("what shadow %s v%s said is lost: %s", spec.model, spec.number, error)

    def _is_routed(self, predictor: Predictor) -> bool:
        served = self._serving.table.models.get(predictor.spec.model, NOTHING_LOADED)
        return any(route.predictor is predictor for route in served.shadows)

    def _count(self, n_texts: int, n_chars: int) -> None:
        with self._counting:
            self._n_texts = max(0, self._n_texts + n_texts)
            self._n_chars = max(0, self._n_chars + n_chars)


def _dropped(spec: VersionSpec, reason: str, n: int) -> None:
    metrics.SHADOW_DROPPED.labels(spec.model, spec.number, reason).inc(n)


def _parameters(task: Task, asked: msgspec.Raw) -> Any:
    """What the caller asked of the primary, where the shadow knows it."""
    try:
        return decoding.convert(asked, task.parameters_type, "parameters")
    except RequestError:
        return task.defaults
