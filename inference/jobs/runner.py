"""Works on jobs inside a serving process, which has the engine, at low priority."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec

from access.database import in_thread
from access.errors import BellwetherError, DatabaseUnavailable
from inference.engine.limits import Priority
from inference.errors import InputFailed, InternalError, Unavailable
from inference.jobs import services
from inference.jobs.services import Claim
from inference.service import Answer, Call, Service

log = logging.getLogger(__name__)

IDLE_S = 0.25
# A chunk that the engine cannot take now is tried again for as long as the model may be away.
RETRY_S = 0.5
MAX_UNAVAILABLE_S = 600.0
CHUNK_TIMEOUT_S = 300.0


class JobRunner:
    """`n_workers` jobs at a time; `wake` ends an idle wait so that a new job starts at once."""

    def __init__(
        self,
        service: Service,
        *,
        n_workers: int = 2,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service, self._n_workers, self._clock = service, n_workers, clock
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._work(str(uuid4()))) for _ in range(self._n_workers)
        ]

    def wake(self) -> None:
        self._wake.set()

    async def stop(self) -> None:
        """Stop and give unfinished jobs back; chunks that are done stay done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, owner: str) -> None:
        while True:
            try:
                claim = await in_thread(lambda: services.claim(owner, now=self._clock()))
                if claim is not None:
                    await self._run(claim)
                    continue
            except (Unavailable, DatabaseUnavailable):
                log.warning("jobs wait: the database does not answer")
            except Exception:
                log.exception("a job worker failed; it goes on with the next job")
            await self._idle()

    async def _idle(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), IDLE_S)
        self._wake.clear()

    async def _run(self, claim: Claim) -> None:
        beating = asyncio.create_task(self._keep_lease(claim))
        try:
            await self._run_chunks(claim)
        except asyncio.CancelledError:
            await asyncio.shield(in_thread(lambda: services.release(claim)))
            raise
        except BellwetherError as error:
            await self._fail(claim, error)
        except Exception:
            log.exception("bug in job %s", claim.id)
            await self._fail(claim, InternalError.during(claim.request_id))
        finally:
            beating.cancel()

    async def _run_chunks(self, claim: Claim) -> None:
        while chunk := await in_thread(lambda: services.next_chunk(claim)):
            index, texts = chunk
            answer = await self._answer(claim, texts)
            results = [result(text, answer, at) for at, text in enumerate(texts)]
            if not await in_thread(self._finisher(claim, index, results)):
                return  # Another process has taken the job over: it has the rest.
        await in_thread(lambda: services.complete(claim, now=self._clock()))

    def _finisher(
        self, claim: Claim, index: int, results: list[dict[str, Any]]
    ) -> Callable[[], bool]:
        return lambda: services.finish_chunk(claim, index, results, now=self._clock())

    async def _answer(self, claim: Claim, texts: list[str]) -> Answer:
        call = Call(
            model=claim.model,
            inputs=texts,
            parameters=msgspec.Raw(b"{}"),
            request_id=claim.request_id,
            dialect="job",
            key_id=claim.key_id,
            priority=Priority.JOB,
            timeout_s=CHUNK_TIMEOUT_S,
        )
        waited_s = 0.0
        while True:
            try:
                return await self._service.predict(call)
            except Unavailable:
                if waited_s >= MAX_UNAVAILABLE_S:
                    raise
            except InputFailed as error:
                raise _located(error) from error
            await asyncio.sleep(RETRY_S)
            waited_s += RETRY_S

    async def _keep_lease(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(services.LEASE_S / 3)
            with suppress(Unavailable, DatabaseUnavailable):
                await in_thread(lambda: services.renew(claim, now=self._clock()))

    async def _fail(self, claim: Claim, error: BellwetherError) -> None:
        log.warning("job %s failed: %s", claim.id, error.code)
        await in_thread(lambda: services.fail(claim, error, now=self._clock()))


def _located(error: InputFailed) -> InputFailed:
    return InputFailed(
        f"One text of the job cannot be classified: {error.message}", details=error.details
    )


def result(text: str, answer: Answer, at: int) -> dict[str, Any]:
    """Return one result in the classic shape."""
    prediction = answer.predictions[at]
    return {
        "text": text,
        "label": prediction.decoded.fields["label"],
        "score": prediction.decoded.fields["score"],
        "prediction_id": str(prediction.id) if prediction.id else None,
    }
