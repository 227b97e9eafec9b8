"""Works on one job's file, chunk by chunk: read → answer → write → let it count.

Results and errors are on the disk before the row says so, and what the row says of them moves in
one transaction with the place that reading has reached. So whatever ends the process, the next one
goes on there, and what was written and not counted is never read.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from uuid import UUID

from access.database import in_thread
from access.errors import DatabaseUnavailable
from inference.errors import JobFileRefused
from inference.jobs import files, services, storage
from inference.jobs.asking import Asker
from inference.jobs.files import Progress, Work
from inference.jobs.labels import GiveLabels, TrueLabel
from inference.jobs.leasing import Clock
from inference.jobs.readers import Rows, parquet_rows, read_rows
from inference.jobs.rows import Answered, BadRow, Format, Place, Row
from inference.jobs.services import Claim
from inference.jobs.storage import JobFolder, Segment
from inference.jobs.writers import arrow_schema, assemble, encode_errors, make_writer

log = logging.getLogger(__name__)

GIVE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows in order, and where the next chunk begins; `refused` says why nothing follows."""

    rows: tuple[Row | BadRow, ...]
    after: Place
    n_bytes_read: int
    is_last: bool
    refused: JobFileRefused | None = None


class FileRun:
    """One claim's work on one file."""

    def __init__(
        self,
        claim: Claim,
        work: Work,
        rows: Rows,
        *,
        asker: Asker,
        give: GiveLabels,
        clock: Clock,
        segment: str,
    ) -> None:
        self._claim, self._work, self._rows = claim, work, rows
        self._asker, self._give, self._clock = asker, give, clock
        self._writer = make_writer(work.shape)
        segments = (*work.progress.segments, Segment(segment))
        self._progress = replace(work.progress, segments=segments)
        self._giving: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Go on until the end, or until the job is another's, rests or is cancelled.

        Raises JobFileRefused, JobDiskFull, JobFilesLost and what the pipeline raises.
        """
        self._start_giving(self._work.pending)
        segment = self._progress.segments[-1].name
        await asyncio.to_thread(storage.begin, self._work.folder, segment)
        reading = self._start_reading()
        try:
            while True:
                chunk, started = await reading, time.monotonic()
                if not chunk.is_last:
                    reading = self._start_reading(after=chunk.after)
                if not await self._finish_chunk(chunk, started):
                    return
                if chunk.refused is not None:
                    await self._end_giving()
                    raise chunk.refused
                if chunk.is_last:
                    break
                if await in_thread(self._settle):
                    await self._end_giving()
                    return
            await self._end()
        finally:
            await asyncio.gather(reading, return_exceptions=True)
            if self._giving is not None:
                self._giving.cancel()

    def _settle(self) -> bool:
        return services.settle(self._claim.id, now=self._clock(), owner=self._claim.owner)

    def _start_reading(self, after: Place | None = None) -> "asyncio.Task[Chunk]":
        place, n_rows = after or self._progress.place, self._asker.pace.n_rows
        return asyncio.create_task(asyncio.to_thread(read_chunk, self._rows, place, n_rows))

    async def _finish_chunk(self, chunk: Chunk, started: float) -> bool:
        good = [row for row in chunk.rows if isinstance(row, Row)]
        answers = iter(await self._asker.answer(good))
        outcomes = [next(answers) if isinstance(row, Row) else row for row in chunk.rows]
        answered = [each for each in outcomes if isinstance(each, Answered)]
        bad = [each for each in outcomes if isinstance(each, BadRow)]
        progress = await asyncio.to_thread(self._write, chunk, answered, bad)
        await self._end_giving()
        labels = labels_of(answered)

        def keep() -> bool:
            return files.keep_chunk(
                self._claim,
                progress,
                n_done=len(answered),
                n_failed=len(bad),
                labels=labels,
                worked_s=time.monotonic() - started,
                now=self._clock(),
            )

        is_ours = await in_thread(keep)
        if is_ours:
            self._progress = progress
            self._start_giving(labels)
        return is_ours

    def _write(self, chunk: Chunk, answered: Sequence[Answered], bad: Sequence[BadRow]) -> Progress:
        done, folder = self._progress, self._work.folder
        segment = done.segments[-1]
        data = self._writer.encode(answered) if answered else b""
        if not done.has_results:
            data = self._writer.head() + data
        n_results = storage.append(folder.results(segment.name), segment.n_result_bytes, data)
        n_errors = storage.append(
            folder.errors(segment.name), segment.n_error_bytes, encode_errors(bad)
        )
        grown = Segment(segment.name, n_results, n_errors)
        return Progress(chunk.after, (*done.segments[:-1], grown), chunk.n_bytes_read)

    async def _end(self) -> None:
        await self._end_giving()
        if self._work.shape.format is Format.PARQUET:
            await asyncio.to_thread(make_parquet, self._work, self._progress)
        await in_thread(lambda: files.complete(self._claim, now=self._clock()))

    def _start_giving(self, labels: Sequence[TrueLabel]) -> None:
        """Give labels while the next chunk is worked on; a crash before they are: the next process
        gives them, since the row has them.
        """
        if labels:
            self._giving = asyncio.create_task(self._give_labels(labels))

    async def _end_giving(self) -> None:
        if self._giving is not None:
            await self._giving
            self._giving = None

    async def _give_labels(self, labels: Sequence[TrueLabel]) -> None:
        n_refused = await in_thread(lambda: self._give_tries(labels))
        await in_thread(lambda: files.labels_given(self._claim.id, labels, n_refused=n_refused))

    def _give_tries(self, labels: Sequence[TrueLabel]) -> int:
        """How many labels were not taken in the end."""
        left: Sequence[TrueLabel] = labels
        for _ in range(GIVE_TRIES):
            try:
                codes = self._give(left, self._claim.key_id)
            except DatabaseUnavailable:
                raise
            except Exception:
                log.exception("labels of job %s were not taken", self._claim.id)
                break
            left = [each for each, code in zip(left, codes, strict=True) if code]
            # A prediction may still be on its way to the database; a wrong label stays wrong.
            if "prediction_not_found" not in codes:
                break
        return len(left)


def read_chunk(rows: Rows, place: Place, n_rows: int) -> Chunk:
    """The next `n_rows` rows from `place` on; fewer at the end, or where the file is damaged."""
    found: list[Row | BadRow] = []
    refused = None
    try:
        for read in islice(rows, n_rows):
            found.append(read.row)
            place = read.after
    except JobFileRefused as error:
        refused = error
    is_last = len(found) < n_rows
    return Chunk(tuple(found), place, rows.n_bytes_read, is_last, refused)


def labels_of(answered: Sequence[Answered]) -> list[TrueLabel]:
    """What is true of those that have a label and can get feedback."""
    return [
        TrueLabel(UUID(each.prediction_id), each.row.label)
        for each in answered
        if each.row.label and each.prediction_id
    ]


def open_rows(work: Work) -> Rows:
    return read_rows(work.source, work.progress.place, files.get_limits())


def result_parts(folder: JobFolder, segments: Sequence[Segment]) -> list[tuple[Path, int]]:
    """The files of results in order, and how much of each counts."""
    return [(folder.results(each.name), each.n_result_bytes) for each in segments]


def make_parquet(work: Work, progress: Progress) -> None:
    """Make the results, Arrow streams until now, one Parquet file."""
    file = parquet_rows.open_file(work.source.path, files.get_limits())
    try:
        empty = arrow_schema(file.schema_arrow, work.shape)
    finally:
        file.close()
    with storage.full_disk_named():
        assemble(result_parts(work.folder, progress.segments), work.folder.parquet, empty)
