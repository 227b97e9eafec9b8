"""Works on jobs inside a serving process, which has the engine, at low priority."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec

from access.database import in_thread
from access.errors import DatabaseUnavailable
from inference.engine.limits import Priority
from inference.errors import InputFailed, Unavailable
from inference.jobs import files as job_files
from inference.jobs import services
from inference.jobs.asking import Asker
from inference.jobs.file_runner import FileRun, open_rows
from inference.jobs.labels import GiveLabels, give_nowhere
from inference.jobs.leasing import leased
from inference.jobs.services import Claim
from inference.service import Answer, Call, Service

log = logging.getLogger(__name__)
Idle = Callable[[], Awaitable[None]]

IDLE_S = 0.25
FILES_IDLE_S = 1.0
# A chunk that the engine cannot take now is tried again for as long as the model may be away.
RETRY_S = 0.5
MAX_UNAVAILABLE_S = 600.0
CHUNK_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJobs:
    """What working on files takes besides: `quiet_s` says for how long nobody was answered but
    jobs, `give` takes true labels. Files are worked on by workers of their own, since one may take
    hours.
    """

    quiet_s: Callable[[], float] = lambda: float("inf")
    give: GiveLabels = give_nowhere
    n_workers: int = 2
    name_segment: Callable[[], str] = lambda: uuid4().hex


class JobRunner:
    """`n_workers` jobs at a time; `wake` ends an idle wait so that a new job starts at once."""

    def __init__(
        self,
        service: Service,
        *,
        n_workers: int = 2,
        files: FileJobs | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service, self._n_workers, self._clock = service, n_workers, clock
        self._files = files
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        turns: list[tuple[Callable[[], Awaitable[bool]], Idle]] = [
            (partial(self._turn, str(uuid4())), self._idle) for _ in range(self._n_workers)
        ]
        if (files := self._files) is not None:
            turns += [
                (partial(self._file_turn, str(uuid4()), files), _files_idle)
                for _ in range(files.n_workers)
            ]
        self._tasks = [asyncio.create_task(self._work(turn, idle)) for turn, idle in turns]

    def wake(self) -> None:
        self._wake.set()

    async def stop(self) -> None:
        """Stop and give unfinished jobs back; chunks that are done stay done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, turn: Callable[[], Awaitable[bool]], idle: Idle) -> None:
        """Take turns for ever; `idle` after one that found nothing to do."""
        while True:
            has_worked = False
            try:
                has_worked = await turn()
            except (Unavailable, DatabaseUnavailable):
                log.warning("jobs wait: the database does not answer")
            except Exception:
                log.exception("a job worker failed; it goes on with the next job")
            if not has_worked:
                await idle()

    async def _turn(self, owner: str) -> bool:
        claim = await in_thread(lambda: services.claim(owner, now=self._clock()))
        if claim is not None:
            async with leased(claim, self._clock):
                await self._run_chunks(claim)
        return claim is not None

    async def _file_turn(self, owner: str, files: FileJobs) -> bool:
        claim = await in_thread(
            lambda: services.claim(owner, now=self._clock(), sees=job_files.sees)
        )
        if claim is not None:
            async with leased(claim, self._clock, rests=True):
                await self._run_file(claim, files)
        return claim is not None

    async def _idle(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), IDLE_S)
        self._wake.clear()

    async def _run_file(self, claim: Claim, files: FileJobs) -> None:
        work = await in_thread(lambda: job_files.load_work(claim.id))
        asker = Asker(self._service, claim.model, claim.key_id, claim.request_id, files.quiet_s)
        rows = await asyncio.to_thread(open_rows, work)
        try:
            run = FileRun(
                claim,
                work,
                rows,
                asker=asker,
                give=files.give,
                clock=self._clock,
                segment=files.name_segment(),
            )
            await run.run()
        finally:
            rows.close()

    async def _run_chunks(self, claim: Claim) -> None:
        while chunk := await in_thread(lambda: services.next_chunk(claim)):
            index, texts = chunk
            answer = await self._answer(claim, texts)
            results = [result(text, answer, at) for at, text in enumerate(texts)]
            if not await in_thread(self._finisher(claim, index, results)):
                return  # Another process has taken the job over: it has the rest.
            if await in_thread(lambda: self._settle(claim)):
                return
        await in_thread(lambda: services.complete(claim, now=self._clock()))

    def _settle(self, claim: Claim) -> bool:
        return services.settle(claim.id, now=self._clock(), owner=claim.owner)

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


async def _files_idle() -> None:
    await asyncio.sleep(FILES_IDLE_S)


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
