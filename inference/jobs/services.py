"""The only writers of job rows, but for what `files` writes of a file's progress.

Times are arguments; claims are conditional updates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from access.errors import BellwetherError
from inference.errors import JobConflict, JobGaveUp, JobNotFound
from inference.jobs.models import Asked, Job, JobChunk, JobState

# At most half the smallest queue (BELLWETHER_MAX_QUEUE): what jobs may fill.
CHUNK = 32
LEASE_S = 10.0
MAX_ATTEMPTS = 5
# Jobs of files that other processes see are passed over.
LOOKED_AT = 50
_CANCELLED = "The job was cancelled."


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """A job as callers see it; `processing_s` runs from the first claim to the end, or to now."""

    id: UUID
    model: str
    state: JobState
    n_inputs: int
    n_done: int
    processing_s: float
    error_code: str
    error_message: str
    results: list[dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job until the lease ends, unless it is renewed."""

    id: UUID
    owner: str
    model: str
    key_id: str
    request_id: str


def create_job(
    model: str, texts: Sequence[str], *, key_id: str, request_id: str, now: datetime
) -> UUID:
    """Write a job with its texts and return its id; it is durable when this returns."""
    with transaction.atomic():
        job = Job.objects.create(
            model=model, n_inputs=len(texts), key_id=key_id, request_id=request_id, created_at=now
        )
        starts = range(0, len(texts), CHUNK)
        JobChunk.objects.bulk_create(
            JobChunk(job=job, index=index, inputs=list(texts[start : start + CHUNK]))
            for index, start in enumerate(starts)
        )
    return job.id


def load_job(job_id: str, *, key_id: str | None, now: datetime) -> JobFacts:
    """Return a job, with its results when it is completed.

    A caller sees the jobs of its own key; `key_id` None sees all. Raises JobNotFound otherwise.
    """
    job = find_job(job_id, key_id=key_id)
    if job.n_inputs is None or hasattr(job, "file"):
        raise JobNotFound(
            f"The job {job_id} works on a file: GET /api/v1/jobs/{job_id} tells of it.",
            details={"job_id": job_id},
        )
    results = None
    if job.state == JobState.COMPLETED:
        chunks = (
            JobChunk.objects.filter(job=job).order_by("index").values_list("results", flat=True)
        )
        results = [result for chunk in chunks for result in chunk or ()]
    end = job.finished_at or now
    return JobFacts(
        id=job.id,
        model=job.model,
        state=JobState(job.state),
        n_inputs=job.n_inputs,
        n_done=job.n_done,
        processing_s=(end - job.started_at).total_seconds() if job.started_at else 0.0,
        error_code=job.error_code,
        error_message=job.error_message,
        results=results,
    )


def count_unfinished() -> tuple[int, int]:
    """How many jobs wait, and how many run."""
    unfinished = Job.objects.filter(state__in=(JobState.QUEUED, JobState.RUNNING))
    states = list(unfinished.values_list("state", flat=True))
    return states.count(JobState.QUEUED), states.count(JobState.RUNNING)


def find_job(job_id: str | UUID, *, key_id: str | None) -> Job:
    """The row of a job that this key may see (None: any). Raises JobNotFound."""
    try:
        found = Job.objects.filter(pk=job_id if isinstance(job_id, UUID) else UUID(job_id))
        job = found.select_related("file").first()
    except ValueError:
        job = None
    if job is None or (key_id is not None and job.key_id != key_id):
        raise JobNotFound(
            f"There is no job {str(job_id)[:80]!r} for this key. Jobs are kept for a limited time.",
            details={"job_id": str(job_id)[:80]},
        )
    return job


def claim(owner: str, *, now: datetime, sees: Callable[[UUID], bool] | None = None) -> Claim | None:
    """Take the oldest job that waits or whose lease has run out; None when there is none.

    Jobs of inline texts; with `sees` jobs of files, those that it is true of: other processes have
    the others.
    """
    is_free = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, leased_until__lt=now)
    candidates = Job.objects.filter(is_free, file__isnull=sees is None).order_by("created_at")
    for job in candidates[: 4 if sees is None else LOOKED_AT]:
        if job.asked:
            settle(job.id, now=now)
            continue
        if sees is not None and not sees(job.id):
            continue
        if job.n_attempts >= MAX_ATTEMPTS:
            _give_up(job.id, now)
            continue
        taken = Job.objects.filter(is_free, pk=job.pk, n_attempts=job.n_attempts).update(
            state=JobState.RUNNING,
            owner=owner,
            leased_until=now + timedelta(seconds=LEASE_S),
            n_attempts=F("n_attempts") + 1,
            started_at=job.started_at or now,
        )
        if taken:
            return Claim(job.id, owner, job.model, job.key_id, job.request_id)
    return None


def _give_up(job_id: UUID, now: datetime) -> None:
    message = f"The server stopped {MAX_ATTEMPTS} times while it worked on this job: given up."
    Job.objects.filter(pk=job_id).update(
        state=JobState.FAILED, error_code=JobGaveUp.code, error_message=message, finished_at=now
    )


def next_chunk(claim: Claim) -> tuple[int, list[str]] | None:
    """Return the first chunk without results as (index, texts); None when all are done."""
    chunk = JobChunk.objects.filter(job_id=claim.id, results__isnull=True).order_by("index").first()
    return (chunk.index, chunk.inputs) if chunk else None


def renew(claim: Claim, *, now: datetime) -> bool:
    """Prolong the lease; False when another process has taken the job over."""
    until = now + timedelta(seconds=LEASE_S)
    return bool(held(claim).update(leased_until=until))


def finish_chunk(claim: Claim, index: int, results: list[dict[str, Any]], *, now: datetime) -> bool:
    """Keep a chunk's results and prolong the lease; False when another process has taken the job
    over.
    """
    with transaction.atomic():
        until = now + timedelta(seconds=LEASE_S)
        if not held(claim).update(n_done=F("n_done") + len(results), leased_until=until):
            return False
        JobChunk.objects.filter(job_id=claim.id, index=index).update(results=results)
    return True


def pause(job_id: UUID, *, now: datetime) -> None:
    """Let a job rest: at once where nobody works on it, else after the current chunk.

    Pausing twice is no error. Raises JobConflict when the job has ended.
    """
    rows = Job.objects.filter(pk=job_id)
    is_free = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, leased_until__lt=now)
    if rows.filter(is_free).update(state=JobState.PAUSED, **_FREE):
        return
    asked = rows.filter(state=JobState.RUNNING).exclude(asked=Asked.CANCEL)
    if not asked.update(asked=Asked.PAUSE):
        _require(rows, JobState.PAUSED, "paused")


def resume(job_id: UUID) -> None:
    """Let a job that rests, or a file's that failed, go on after the last finished chunk.

    Resuming twice is no error. Raises JobConflict when the job has ended otherwise.
    """
    rows = Job.objects.filter(pk=job_id)
    resting = Q(state=JobState.PAUSED) | Q(state=JobState.FAILED, file__isnull=False)
    fresh = {**_FREE, "n_attempts": 0, "error_code": "", "error_message": "", "finished_at": None}
    if rows.filter(resting).update(state=JobState.QUEUED, **fresh):
        return
    unfinished = rows.filter(state__in=(JobState.RUNNING, JobState.QUEUED))
    if not unfinished.exclude(asked=Asked.CANCEL).update(asked=Asked.NOTHING):
        _require(rows, JobState.QUEUED, "resumed")


def cancel(job_id: UUID, *, now: datetime) -> None:
    """End a job for good: at once where nobody works on it, else after the current chunk.

    Cancelling twice is no error. Raises JobConflict when the job has ended otherwise.
    """
    rows = Job.objects.filter(pk=job_id)
    is_free = Q(state__in=(JobState.QUEUED, JobState.PAUSED)) | Q(
        state=JobState.RUNNING, leased_until__lt=now
    )
    if rows.filter(is_free).update(**_cancelled(now)):
        return
    if not rows.filter(state=JobState.RUNNING).update(asked=Asked.CANCEL):
        _require(rows, JobState.CANCELLED, "cancelled")


def settle(job_id: UUID, *, now: datetime, owner: str | None = None) -> bool:
    """Do what was asked of a job between two chunks of `owner`'s; whether it rests or has ended."""
    rows = Job.objects.filter(pk=job_id, state__in=(JobState.RUNNING, JobState.QUEUED))
    if owner is not None:
        rows = rows.filter(owner=owner)
    if rows.filter(asked=Asked.PAUSE).update(state=JobState.PAUSED, **_FREE):
        return True
    return bool(rows.filter(asked=Asked.CANCEL).update(**_cancelled(now)))


_FREE: dict[str, Any] = {"asked": Asked.NOTHING, "owner": "", "leased_until": None}


def _cancelled(now: datetime) -> dict[str, Any]:
    ended = {"state": JobState.CANCELLED, "finished_at": now, "error_message": _CANCELLED}
    return {**_FREE, **ended}


def _require(rows: Any, state: JobState, done: str) -> None:
    found = rows.values_list("state", flat=True).first()
    if found != state:
        raise JobConflict(f"A job that is {found} cannot be {done}.", details={"state": str(found)})


def complete(claim: Claim, *, now: datetime) -> None:
    held(claim).update(
        state=JobState.COMPLETED, finished_at=now, leased_until=None, asked=Asked.NOTHING
    )


def rest(claim: Claim, error: BellwetherError) -> None:
    """Pause a job because of `error`, which somebody can mend."""
    reason = {"error_code": error.code, "error_message": error.message}
    held(claim).update(state=JobState.PAUSED, **_FREE, **reason)


def fail(claim: Claim, error: BellwetherError, *, now: datetime) -> None:
    held(claim).update(
        state=JobState.FAILED,
        error_code=error.code,
        error_message=error.message,
        finished_at=now,
        leased_until=None,
        asked=Asked.NOTHING,
    )


def release(claim: Claim) -> None:
    """Give an unfinished job back, not counting the attempt: another process takes it at once."""
    held(claim).update(
        state=JobState.QUEUED,
        owner="",
        leased_until=None,
        n_attempts=Greatest(F("n_attempts") - 1, 0),
    )


def held(claim: Claim) -> Any:
    """The row, for as long as `claim` holds it."""
    return Job.objects.filter(pk=claim.id, owner=claim.owner, state=JobState.RUNNING)
