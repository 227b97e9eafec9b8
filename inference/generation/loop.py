"""The step loop: who joins, who leaves, whose turn it is. No model library, no thread, no clock.

transformers has continuous batching of its own. It is not used, because it serves causal models
only (there is no path for encoders and cross attention), wants paged attention that a CPU gains
nothing from, fixes what is done to logits when it starts (a few numbers may differ by request,
other processors are dropped), and has no deadlines and no retry of rows apart when a step fails.

A turn: rows that nobody waits for leave; newcomers get their first pass and join a cohort; one
cohort makes a step. A cohort that waits for nothing waits at most for one step of each other one.
"""

import traceback
from collections.abc import Callable, Sequence
from typing import TypeAlias

import structlog

from inference.errors import InferenceError, InputFailed, RequestCancelled
from inference.generation.delivery import Parcels, Subscription, make_deadline_error
from inference.generation.limits import GenerationLimits
from inference.generation.ports import Cohort, GenerationModel
from inference.generation.queue import RowQueue
from inference.generation.rows import SequenceRow
from inference.generation.scheduling import Load, choose_host, choose_newcomers, load_of

log = structlog.get_logger(__name__)

Rows: TypeAlias = list[SequenceRow]


class StepLoop:
    """What runs now. Belongs to one thread; `n_rows` may be read from any."""

    def __init__(
        self,
        model: GenerationModel,
        queue: RowQueue,
        limits: GenerationLimits,
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._queue = queue
        self._limits = limits
        self._clock = clock
        self._cohorts: list[Cohort] = []
        self._paused: list[Cohort] = []
        self._in_hand: Rows = []  # So that a thread that dies has their callers told.
        self._parcels = Parcels()
        self._next = 0
        self.n_steps = 0
        self.n_tokens = 0
        self.n_finished = 0
        self.n_rows = 0

    @property
    def is_idle(self) -> bool:
        return not self._cohorts and not self._paused and not self._queue.n_rows

    @property
    def is_waiting(self) -> bool:
        """Whether nothing can run until a reader reads, somebody comes or time passes."""
        return not self._cohorts

    def turn(self) -> None:
        """Do the next piece of work; whatever it has for callers is on its way afterwards."""
        now = self._clock()
        self._drop_dead(now)
        self._pause_unread(now)
        self._admit(now)
        self._step()
        self.n_rows = sum(len(each.rows) for each in (*self._cohorts, *self._paused))
        self._parcels.send()

    def fail_running(self, make_error: Callable[[], InferenceError]) -> None:
        """End every request that has a row running, and forget the rows."""
        rows = [row for cohort in (*self._cohorts, *self._paused) for row in cohort.rows]
        self._fail_requests([*rows, *self._in_hand], make_error)
        self._cohorts, self._paused, self._in_hand = [], [], []
        self.n_rows = 0
        self._parcels.send()

    def fail_waiting(self, make_error: Callable[[], InferenceError]) -> None:
        """End every request that has a row in the queue."""
        self._fail_requests(self._queue.pop_all(), make_error)
        self._parcels.send()

    # Who leaves.

    def _drop_dead(self, now: float) -> None:
        self._fail_requests(self._queue.take_dead(now), make_deadline_error)
        for cohorts in (self._cohorts, self._paused):
            for cohort in tuple(cohorts):
                gone = [row for row in cohort.rows if not row.subscription.is_awaited(now)]
                # Most of their callers have gone; for the others the deadline has passed.
                self._fail_requests(gone, make_deadline_error)
                self._keep(cohorts, cohort, lambda row: row.subscription.is_awaited(now))

    def _keep(
        self, cohorts: list[Cohort], cohort: Cohort, is_kept: Callable[[SequenceRow], bool]
    ) -> None:
        kept = [position for position, row in enumerate(cohort.rows) if is_kept(row)]
        if not kept:
            cohorts.remove(cohort)
        elif len(kept) < len(cohort.rows):
            cohort.keep(kept)

    def _fail_requests(
        self, rows: Sequence[SequenceRow], make_error: Callable[[], InferenceError]
    ) -> None:
        for subscription in {id(row): row.subscription for row in rows}.values():
            self._parcels.fail(subscription, make_error())

    # Who reads too slowly.

    def _pause_unread(self, now: float) -> None:
        for cohort in tuple(self._paused):
            if all(self._has_room(row.subscription, now) for row in cohort.rows):
                self._paused.remove(cohort)
                self._house(cohort)
        for cohort in tuple(self._cohorts):
            full = [row for row in cohort.rows if not self._has_room(row.subscription, now)]
            if full:
                self._set_apart(cohort, full)

    def _set_apart(self, cohort: Cohort, rows: Rows) -> None:
        for row in rows:
            place = next(at for at, each in enumerate(cohort.rows) if each is row)
            self._paused.append(cohort.split([place]))
        away = {id(row) for row in rows}
        self._keep(self._cohorts, cohort, lambda row: id(row) not in away)

    def _has_room(self, subscription: Subscription, now: float) -> bool:
        n_unread = subscription.n_unread
        if n_unread < self._limits.max_buffered_events:
            # Half of it must be free before a row that was set apart goes on.
            if subscription.paused_at is None or n_unread * 2 <= self._limits.max_buffered_events:
                subscription.paused_at = None
                return True
            return False
        if subscription.paused_at is None:
            subscription.paused_at = now
        if now - subscription.paused_at > self._limits.max_stall_s:
            error = RequestCancelled(
                f"Nobody read the events of this request for {self._limits.max_stall_s:g} s. "
                "Read them as they come, or ask for the whole text at once."
            )
            self._parcels.fail(subscription, error)
        return False

    # Who joins.

    def _admit(self, now: float) -> None:
        if not self._queue.n_rows:
            return
        waiting = self._queue.head(self._limits.max_rows)
        n = choose_newcomers(
            [row.size for row in waiting],
            [_load(cohort) for cohort in self._cohorts],
            self._limits,
            can_merge=self._model.can_merge,
            paused=[_load(cohort) for cohort in self._paused],
        )
        if not n:
            return
        self._in_hand = waiting[:n]
        self._queue.take(self._in_hand)
        for row in self._in_hand:
            row.start(self._model, now)
        for cohort in self._prefill(self._in_hand):
            self._house(cohort)
        self._in_hand = []

    def _prefill(self, rows: Rows) -> list[Cohort]:
        try:
            cohort = self._model.prefill(rows)
        except InferenceError as error:
            self._settle_failed(rows, error)
            return []
        except Exception as error:
            if len(rows) == 1:
                self._settle_failed(rows, _blame(error))
                return []
        else:
            return [cohort] if self._advance(cohort) else []
        # Outside the handler, so that the failed pass's tensors are freed before the next one.
        middle = len(rows) // 2
        return [*self._prefill(rows[:middle]), *self._prefill(rows[middle:])]

    def _house(self, cohort: Cohort) -> None:
        """Let a cohort join another one where that wastes little; else it runs by itself."""
        hosts = [each for each in self._cohorts if each.can_absorb(cohort)]
        at = choose_host(_load(cohort), [_load(each) for each in hosts], self._limits)
        if at is None:
            self._cohorts.append(cohort)
        else:
            hosts[at].absorb(cohort)

    # Who makes a step.

    def _step(self) -> None:
        if not self._cohorts:
            return
        self._next %= len(self._cohorts)
        cohort = self._cohorts.pop(self._next)
        self._in_hand = list(cohort.rows)
        survivors = self._run(cohort)
        if survivors:
            self._cohorts.insert(self._next, survivors[0])
            self._next += 1
        for half in survivors[1:]:
            self._house(half)
        self._in_hand = []

    def _run(self, cohort: Cohort) -> list[Cohort]:
        """Make one step; the cohort, its halves where a row had to be found out, or none."""
        try:
            cohort.step()
        except InferenceError as error:
            self._settle_failed(cohort.rows, error)
            return []
        except Exception as error:
            if len(cohort.rows) == 1:
                self._settle_failed(cohort.rows, _blame(error))
                return []
        else:
            return [cohort] if self._advance(cohort) else []
        middle = len(cohort.rows) // 2
        halves = [
            cohort.split(range(middle)),
            cohort.split(range(middle, len(cohort.rows))),
        ]
        del cohort
        return [each for half in halves for each in self._run(half)]

    def _advance(self, cohort: Cohort) -> bool:
        """Give every row its token; False where no row is left."""
        now = self._clock()
        self.n_steps += 1
        kept: list[int] = []
        for position, (row, choice) in enumerate(zip(cohort.rows, cohort.choose(), strict=True)):
            if isinstance(choice, Exception):
                self._settle_failed([row], _blame(choice))
                continue
            try:
                row.grow(self._model, choice, now, self._parcels)
            except Exception as error:
                self._settle_failed([row], _blame(error))
                continue
            self.n_tokens += 1
            if row.finish_reason is None:
                kept.append(position)
            else:
                self.n_finished += 1
        if kept and len(kept) < len(cohort.rows):
            cohort.keep(kept)
        return bool(kept)

    def _settle_failed(self, rows: Sequence[SequenceRow], error: InferenceError) -> None:
        for row in rows:
            alike = type(error)(
                error.message, details=error.details, retry_after_s=error.retry_after_s
            )
            alike.__cause__ = error.__cause__
            self._parcels.settle(row.subscription, row.index, row.sequence, alike)


def _load(cohort: Cohort) -> Load:
    return load_of([row.size for row in cohort.rows])


def _blame(error: Exception) -> InputFailed:
    log.warning("generation.row_failed", exc_info=error)
    # The cause outlives this call; the tensors in its frames must not.
    traceback.clear_frames(error.__traceback__)
    failed = InputFailed("The model failed on this input. Change the input, or leave it out.")
    failed.__cause__ = error
    return failed
