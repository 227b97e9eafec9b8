"""Texts that another room wants answered by one version: nobody's predictions, so none is kept.

The other room brings a TextSource; a PassRunner works on it inside a serving process, which has the
engine, at low priority.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

import msgspec

from access.database import in_thread
from access.errors import BellwetherError, DatabaseUnavailable
from inference.engine.limits import Priority
from inference.errors import InternalError, ModelNotReady, Unavailable, VersionNotLoaded
from inference.recording import MemoryRecorder
from inference.records import FAILED, PredictionRecord
from inference.routing import Steering
from inference.service import Call, Service

log = logging.getLogger(__name__)

IDLE_S = 1.0
# Texts that the engine cannot take now are tried again for as long as the model may be away.
RETRY_S = 0.5
MAX_UNAVAILABLE_S = 600.0
# A version that is routed is loaded within seconds; one that nobody routed never is.
MAX_NOT_LOADED_S = 60.0
PASS_TIMEOUT_S = 300.0
DIALECT = "reference"


class Pass(Protocol):
    """Some texts for version `version` of `model`; `request_id` names their cause in logs."""

    @property
    def model(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def texts(self) -> Sequence[str]: ...

    @property
    def request_id(self) -> str: ...


P = TypeVar("P", bound=Pass)


class TextSource(Protocol[P]):
    """Hands out passes, each to one owner for a while. Called from threads; times are arguments."""

    @property
    def lease_s(self) -> float:
        """How long a pass is the owner's without `renew`."""
        ...

    def claim(self, owner: str, *, now: datetime) -> P | None:
        """The next pass, the owner's own unfinished work first; None when there is none."""
        ...

    def renew(self, held: P, *, now: datetime) -> bool:
        """Prolong the lease; False when the pass is another's, or nobody's any more."""
        ...

    def finish(self, held: P, records: Sequence[PredictionRecord], *, now: datetime) -> None:
        """Take the answers, one a text, in order; they are dropped where `renew` would be False."""
        ...

    def fail(self, held: P, error: BellwetherError, *, now: datetime) -> None:
        """Take it that the texts cannot be answered."""
        ...

    def release(self, held: P) -> None:
        """Give an unfinished pass back: another process takes it at once."""
        ...


class PassRunner(Generic[P]):
    """One pass at a time. `service` answers with the engine that callers use, and records to
    `recorder`, which nothing else reads.
    """

    def __init__(
        self,
        service: Service,
        recorder: MemoryRecorder,
        source: TextSource[P],
        *,
        idle_s: float = IDLE_S,
        max_not_loaded_s: float = MAX_NOT_LOADED_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service, self._recorder, self._source = service, recorder, source
        self._idle_s, self._max_not_loaded_s, self._clock = idle_s, max_not_loaded_s, clock
        self._owner = str(uuid4())
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop and give an unfinished pass back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                held = await in_thread(lambda: self._source.claim(self._owner, now=self._clock()))
                if held is not None:
                    await self._run(held)
                    continue
            except DatabaseUnavailable:
                # What was held comes back to this owner, or to another when the lease is over.
                log.warning("texts wait: the database does not answer")
            except Exception:
                log.exception("a pass failed; its worker goes on with the next")
            await asyncio.sleep(self._idle_s)

    async def _run(self, held: P) -> None:
        beating = asyncio.create_task(self._keep_lease(held))
        try:
            records = await self._answer(held)
            await in_thread(lambda: self._source.finish(held, records, now=self._clock()))
        except asyncio.CancelledError:
            await asyncio.shield(in_thread(lambda: self._source.release(held)))
            raise
        except DatabaseUnavailable:
            raise
        except BellwetherError as error:
            await self._fail(held, error)
        except Exception:
            log.exception("bug while %s was answered", held.request_id)
            await self._fail(held, InternalError.during(held.request_id))
        finally:
            beating.cancel()

    async def _answer(self, held: P) -> list[PredictionRecord]:
        call = Call(
            model=held.model,
            inputs=held.texts,
            parameters=msgspec.Raw(b"{}"),
            request_id=held.request_id,
            dialect=DIALECT,
            key_id="",
            priority=Priority.JOB,
            timeout_s=PASS_TIMEOUT_S,
            steering=Steering(pin=held.version),
        )
        waited_s = 0.0
        while True:
            self._recorder.records.clear()
            try:
                await self._service.predict(call)
                return [record for record in self._recorder.records if record.route != FAILED]
            except (VersionNotLoaded, ModelNotReady) as error:
                if waited_s >= self._max_not_loaded_s:
                    raise _never_loaded(held) from error
            except Unavailable:
                if waited_s >= MAX_UNAVAILABLE_S:
                    raise
            await asyncio.sleep(RETRY_S)
            waited_s += RETRY_S

    async def _keep_lease(self, held: P) -> None:
        while True:
            await asyncio.sleep(self._source.lease_s / 3)
            with suppress(DatabaseUnavailable):
                await in_thread(lambda: self._source.renew(held, now=self._clock()))

    async def _fail(self, held: P, error: BellwetherError) -> None:
        log.warning("%s failed: %s", held.request_id, error.code)
        await in_thread(lambda: self._source.fail(held, error, now=self._clock()))


def _never_loaded(held: Pass) -> VersionNotLoaded:
    return VersionNotLoaded(
        f"Version {held.version} of {held.model} is not in memory, so it cannot answer the texts. "
        "Promote it, or route it as a shadow or a canary, and ask again.",
        details={"model": held.model, "version": held.version},
    )
