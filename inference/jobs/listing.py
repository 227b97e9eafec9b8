"""What is told of jobs: how far they are, how fast they go, and what can be downloaded."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from inference.errors import JobConflict, JobFilesLost
from inference.jobs import files, storage
from inference.jobs.models import Job, JobChunk, JobFile, JobState
from inference.jobs.rows import Format

INLINE = "inline"
_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSONL: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.TEXT: "text/tab-separated-values; charset=utf-8",
}
_ENDINGS = {**{each: each.value for each in Format}, Format.TEXT: "tsv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as callers see it. `share` is the part that is done, in [0, 1]; `rate` rows a second
    while it was worked on; `eta_s` seconds that are left at this rate. None: not known yet.
    """

    id: UUID
    model: str
    format: str
    state: str
    asked: str
    n_inputs: int | None
    n_done: int
    n_failed: int
    n_labels: int
    n_labels_refused: int
    share: float | None
    rate: float | None
    eta_s: float | None
    error_code: str
    error_message: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is sent in pieces; the first bytes of each of `parts`."""

    name: str
    content_type: str
    parts: tuple[tuple[Path, int], ...]
    inline: UUID | None = None

    def pieces(self) -> Iterator[bytes]:
        return storage.read_pieces(self.parts) if self.inline is None else _lines(self.inline)


def view_of(job: Job, *, now: datetime) -> JobView:
    file = file_of(job)
    n_rows = job.n_done + job.n_failed
    share, worked_s = _share(job, file), _worked_s(job, file, now)
    is_over = job.finished_at is not None
    left_s = worked_s * (1 - share) / share if share and not is_over else None
    return JobView(
        id=job.id,
        model=job.model,
        format=file.format if file else INLINE,
        state=job.state,
        asked=job.asked,
        n_inputs=job.n_inputs,
        n_done=job.n_done,
        n_failed=job.n_failed,
        n_labels=file.n_labels if file else 0,
        n_labels_refused=file.n_labels_refused if file else 0,
        share=share,
        rate=round(n_rows / worked_s, 2) if worked_s and n_rows else None,
        eta_s=None if left_s is None else round(left_s, 1),
        error_code=job.error_code,
        error_message=job.error_message,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def file_of(job: Job) -> JobFile | None:
    return getattr(job, "file", None)


def _share(job: Job, file: JobFile | None) -> float | None:
    if job.state == JobState.COMPLETED:
        return 1.0
    if job.n_inputs:
        return (job.n_done + job.n_failed) / job.n_inputs
    return min(1.0, file.n_bytes_read / file.n_bytes) if file and file.n_bytes else None


def _worked_s(job: Job, file: JobFile | None, now: datetime) -> float:
    if file is not None:
        return file.worked_s
    return ((job.finished_at or now) - job.started_at).total_seconds() if job.started_at else 0.0


def results_of(job: Job) -> Download:
    """What a job has answered until now. Raises JobConflict for Parquet that is not ready, and
    JobFilesLost where this process does not see the files.
    """
    file = file_of(job)
    if file is None:
        return Download(f"job-{job.id}.jsonl", _TYPES[Format.JSONL], (), inline=job.id)
    format, folder = Format(file.format), storage.folder_of(files.get_root(), job.id)
    packed = ".gz" if file.is_gzip else ""
    name = f"job-{job.id}.{_ENDINGS[format]}{packed}"
    if format is Format.PARQUET:
        if job.state != JobState.COMPLETED:
            raise JobConflict(
                "Parquet is written at the end: wait until the job is completed.",
                details={"state": job.state},
            )
        parts = [(folder.parquet, _size(folder.parquet))]
    else:
        parts = [
            (folder.results(each.name), each.n_result_bytes) for each in files.segments_of(file)
        ]
    content_type = "application/gzip" if file.is_gzip else _TYPES[format]
    return Download(name, content_type, _present(parts))


def errors_of(job: Job) -> Download:
    """The rows without an answer until now. Raises JobFilesLost."""
    file = file_of(job)
    folder = storage.folder_of(files.get_root(), job.id)
    segments = files.segments_of(file) if file else ()
    parts = [(folder.errors(each.name), each.n_error_bytes) for each in segments]
    name = f"job-{job.id}.errors.jsonl"
    return Download(name, _TYPES[Format.JSONL], _present(parts))


def _present(parts: list[tuple[Path, int]]) -> tuple[tuple[Path, int], ...]:
    for path, n_bytes in parts:
        if n_bytes and _size(path) < n_bytes:
            raise _not_here()
    return tuple(part for part in parts if part[1])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise _not_here() from None


def _not_here() -> JobFilesLost:
    return JobFilesLost(
        "The job's files are not on this server's disk: ask the server that worked on it, or let "
        "all of them share BELLWETHER_HOME/jobs."
    )


def _lines(job_id: UUID) -> Iterator[bytes]:
    chunks = JobChunk.objects.filter(job=job_id, results__isnull=False).order_by("index")
    for results in chunks.values_list("results", flat=True).iterator(chunk_size=20):
        yield b"".join(json.dumps(each).encode() + b"\n" for each in results or ())


def as_json(view: JobView) -> dict[str, Any]:
    """A view as the API writes it."""
    return {name: _plain(value) for name, value in asdict(view).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, UUID | StrEnum) else value
