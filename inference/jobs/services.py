"""The only writers and readers of job rows. Times are arguments; claims are conditional updates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from access.errors import BellwetherError
from inference.errors import JobGaveUp, JobNotFound
from inference.jobs.models import Job, JobChunk, JobState

# At most half the smallest queue (BELLWETHER_MAX_QUEUE): what jobs may fill.
CHUNK = 32
LEASE_S = 10.0
MAX_ATTEMPTS = 5


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
    job = _find(job_id)
    if job is None or (key_id is not None and job.key_id != key_id):
        raise JobNotFound(
            f"There is no job {job_id!r} for this key. Jobs are kept for a limited time.",
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


def _find(job_id: str) -> Job | None:
    try:
        return Job.objects.filter(pk=UUID(job_id)).first()
    except ValueError:
        return None


def claim(owner: str, *, now: datetime) -> Claim | None:
    """Take the oldest job that waits or whose lease has run out; None when there is none."""
    is_free = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, leased_until__lt=now)
    for job in Job.objects.filter(is_free).order_by("created_at")[:4]:
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
    return bool(_held(claim).update(leased_until=until))


def finish_chunk(claim: Claim, index: int, results: list[dict[str, Any]], *, now: datetime) -> bool:
    """Keep a chunk's results and prolong the lease; False when another process has taken the job
    over.
    """
    with transaction.atomic():
        until = now + timedelta(seconds=LEASE_S)
        if not _held(claim).update(n_done=F("n_done") + len(results), leased_until=until):
            return False
        JobChunk.objects.filter(job_id=claim.id, index=index).update(results=results)
    return True


def complete(claim: Claim, *, now: datetime) -> None:
    _held(claim).update(state=JobState.COMPLETED, finished_at=now, leased_until=None)


def fail(claim: Claim, error: BellwetherError, *, now: datetime) -> None:
    _held(claim).update(
        state=JobState.FAILED,
        error_code=error.code,
        error_message=error.message,
        finished_at=now,
        leased_until=None,
    )


def release(claim: Claim) -> None:
    """Give an unfinished job back, not counting the attempt: another process takes it at once."""
    _held(claim).update(
        state=JobState.QUEUED, owner="", leased_until=None, n_attempts=F("n_attempts") - 1
    )


def _held(claim: Claim) -> Any:
    return Job.objects.filter(pk=claim.id, owner=claim.owner, state=JobState.RUNNING)
