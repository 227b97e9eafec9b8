"""Long work that can be watched: rows with progress and a heartbeat, whoever does the work.

A kind of work is a function from a `Watch` to its result, registered once with `worker`:

    @worker(OperationKind.BACKUP)
    def _work(watch: Watch) -> dict[str, Any]:
        return {"snapshot": write(watch.parameters["target"], progress=watch)}

A request asks for it with `registry.tasks.enqueue(kind, title, …)`; a command does it on the spot
with `work_inline`. Both leave the same row. `start`, `running` and `finish` are there for work that
fits neither.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from access.errors import BellwetherError
from registry.errors import OperationEnded, OperationNotFound, OperationTaken, StoreFull
from registry.models import MAX_TEXT_CHARS, Operation
from registry.services.common import check_actor, check_text
from registry.specs import OperationKind, OperationState
from registry.store import Progress

log = logging.getLogger(__name__)

MAX_TITLE_CHARS = 300
WRITE_EVERY_S = 0.5
HEARTBEAT_S = 20.0
LOST_AFTER = timedelta(minutes=2)
KEPT_FOR = timedelta(days=90)
BUG_CODE, LOST_CODE, CANCELLED_CODE = "internal_error", "operation_lost", "operation_cancelled"

_LOST = "The process that worked on this ended, or lost the database: try it again"


@dataclass(slots=True)
class Watch:
    """What the work is given: its parameters, and how it says how far it is.

    Call it with bytes done and in all as often as you like: it writes at most twice a second.
    Raises OperationEnded once somebody has cancelled the operation or taken it for lost.
    """

    id: UUID
    kind: OperationKind
    actor: str
    parameters: dict[str, Any]
    started_at: datetime
    also: Progress | None = None
    result: dict[str, Any] = field(default_factory=dict)
    _written_s: float = field(default=0.0)

    def __call__(self, done: int, total: int) -> None:
        if self.also is not None:
            self.also(done, total)
        now_s = time.monotonic()
        if done < total and now_s - self._written_s < WRITE_EVERY_S:
            return
        self._written_s = now_s
        self._write(done=done, total=max(done, total))

    def say(self, message: str) -> None:
        """Tell in a sentence what is being done now."""
        self._write(message=message[:MAX_TEXT_CHARS])

    def beat(self) -> None:
        """Say only that the work goes on."""
        self._write()

    @property
    def mine(self) -> "QuerySet[Operation]":
        """The row, as long as it is this work's to write."""
        return Operation.objects.filter(
            pk=self.id, state=OperationState.RUNNING, started_at=self.started_at
        )

    def _write(self, **values: object) -> None:
        if not self.mine.update(heartbeat_at=timezone.now(), **values):
            raise OperationEnded(
                "the operation was cancelled, or taken for lost, so its work stops",
                details={"operation": str(self.id)},
            )


Worker = Callable[[Watch], Mapping[str, Any]]
_workers: dict[OperationKind, Worker] = {}


def worker(kind: OperationKind) -> Callable[[Worker], Worker]:
    """Register the function that does work of this kind and returns its result (plain JSON)."""

    def register(function: Worker) -> Worker:
        _workers[kind] = function
        return function

    return register


def start(
    kind: OperationKind, title: str, *, actor: str, parameters: Mapping[str, Any] | None = None
) -> UUID:
    """Write a queued operation; returns its id. Parameters are plain JSON, and hold no secret."""
    row = Operation.objects.create(
        kind=kind,
        title=check_text("title", title, limit=MAX_TITLE_CHARS),
        parameters=dict(parameters or {}),
        actor=check_actor(actor),
    )
    return row.id


@contextmanager
def running(operation_id: UUID, *, progress: Progress | None = None) -> Iterator[Watch]:
    """Do the operation's work in here: it is claimed before and ended after, well or not.

    `progress` sees every step too. A heartbeat runs beside it. What is raised in here is recorded
    and raised on; a bug's own words are only in the log. What is put into `watch.result` is kept.
    Raises OperationNotFound, or OperationTaken unless it is queued.
    """
    watch = _claim(operation_id)
    watch.also = progress
    with _beating(watch), _recorded(watch):
        yield watch
    watch.mine.update(state=OperationState.DONE, result=watch.result, finished_at=timezone.now())


def finish(operation_id: UUID, result: Mapping[str, Any]) -> None:
    """End a running operation well, with what it brought about (plain JSON)."""
    Operation.objects.filter(pk=operation_id, state=OperationState.RUNNING).update(
        state=OperationState.DONE, result=dict(result), finished_at=timezone.now()
    )


def work(operation_id: UUID, *, progress: Progress | None = None) -> dict[str, Any]:
    """Do a queued operation by the worker of its kind, here and now; returns its result.

    Raises what `running` and the worker raise.
    """
    with running(operation_id, progress=progress) as watch:
        watch.result = dict(_workers[watch.kind](watch))
    return watch.result


def work_inline(
    kind: OperationKind,
    title: str,
    *,
    actor: str,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Start an operation and do its work at once: for commands. See `start` and `work`."""
    return work(start(kind, title, actor=actor, parameters=parameters), progress=progress)


def requeue(operation_id: UUID) -> None:
    """Make a failed operation ready to be worked again (`registry.tasks.retry` also enqueues it).

    Raises OperationNotFound, or OperationTaken unless it has failed and its kind has a worker.
    """
    if find_operation(operation_id).kind not in _workers:
        raise _taken(operation_id, "is of a kind that is started anew, not tried again")
    is_mine = Operation.objects.filter(pk=operation_id, state=OperationState.FAILED).update(
        state=OperationState.QUEUED,
        done=0,
        message="",
        error_code="",
        started_at=None,
        heartbeat_at=None,
        finished_at=None,
    )
    if not is_mine:
        raise _taken(operation_id, "has not failed, so there is nothing to try again")


def cancel(operation_id: UUID, *, actor: str) -> None:
    """End an operation that waits or runs; its work stops at the next step it reports.

    Raises OperationNotFound, or OperationTaken when it has ended already.
    """
    is_open = Q(state=OperationState.QUEUED) | Q(state=OperationState.RUNNING)
    is_mine = Operation.objects.filter(is_open, pk=operation_id).update(
        state=OperationState.FAILED,
        error_code=CANCELLED_CODE,
        message=f"Cancelled by {check_actor(actor)}"[:MAX_TEXT_CHARS],
        finished_at=timezone.now(),
    )
    if not is_mine:
        raise _taken(operation_id, "has ended already")


def fail_lost(*, now: datetime | None = None) -> int:
    """Give up operations whose process is gone, and forget very old ones; returns how many are
    given up.

    Meant for once a minute: an operation that runs without a heartbeat for LOST_AFTER is lost.
    """
    at = now or timezone.now()
    Operation.objects.filter(finished_at__lt=at - KEPT_FOR).delete()
    return Operation.objects.filter(
        state=OperationState.RUNNING, heartbeat_at__lt=at - LOST_AFTER
    ).update(state=OperationState.FAILED, error_code=LOST_CODE, message=_LOST, finished_at=at)


def find_operation(operation_id: UUID) -> Operation:
    """The row; raises OperationNotFound. For this app only."""
    row = Operation.objects.filter(pk=operation_id).first()
    if row is None:
        raise OperationNotFound(
            "there is no such operation; operations are kept for 90 days after their end",
            details={"operation": str(operation_id)},
        )
    return row


def _claim(operation_id: UUID) -> Watch:
    now = timezone.now()
    is_mine = Operation.objects.filter(pk=operation_id, state=OperationState.QUEUED).update(
        state=OperationState.RUNNING, started_at=now, heartbeat_at=now
    )
    if not is_mine:
        raise _taken(operation_id, "is not waiting to be worked")
    row = find_operation(operation_id)
    return Watch(row.id, OperationKind(row.kind), row.actor, row.parameters, now)


def _taken(operation_id: UUID, problem: str) -> OperationTaken:
    row = find_operation(operation_id)
    return OperationTaken(
        f"the operation {problem}: it is {row.state}",
        details={"operation": str(operation_id), "state": row.state},
    )


def _fail(watch: Watch, code: str, message: str) -> None:
    # The database may be what failed: then the missing heartbeat tells the same, a little later.
    with suppress(DatabaseError):
        watch.mine.update(
            state=OperationState.FAILED,
            error_code=code,
            # Not every database can keep a NUL, which a message may quote.
            message=message.replace("\0", "?")[:MAX_TEXT_CHARS],
            finished_at=timezone.now(),
        )


@contextmanager
def _recorded(watch: Watch) -> Iterator[None]:
    """Write down how the work failed, and let the failure go on."""
    try:
        yield
    except BellwetherError as error:
        _fail(watch, error.code, error.message)
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            full = StoreFull("the disk is full: make room, then try again")
            _fail(watch, full.code, full.message)
            raise full from error
        log.exception("bug in operation %s (%s)", watch.id, watch.kind)
        _fail(watch, BUG_CODE, "A bug of the server; its log names this operation")
        raise
    except BaseException:
        _fail(watch, LOST_CODE, "It was stopped before its end: try it again")
        raise


@contextmanager
def _beating(watch: Watch) -> Iterator[None]:
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(watch, ended), name="heartbeat", daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()


def _beat(watch: Watch, ended: threading.Event) -> None:
    try:
        while not ended.wait(HEARTBEAT_S):
            with suppress(DatabaseError, OperationEnded):
                watch.beat()
    finally:
        connection.close()
