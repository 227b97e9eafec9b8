"""Jobs survive the process: leases, chunks that are done once, and an end to trying."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from access.database import in_thread
from inference.errors import InputFailed, JobNotFound
from inference.jobs import services
from inference.jobs.models import Job, JobState
from inference.jobs.pruning import prune_jobs
from inference.jobs.runner import JobRunner
from inference.jobs.services import CHUNK, LEASE_S, MAX_ATTEMPTS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(seconds=LEASE_S + 1)

pytestmark = pytest.mark.django_db


def a_job(n: int = 3, now: datetime = NOW) -> UUID:
    return services.create_job(
        "team/model", [f"good {i}" for i in range(n)], key_id="k", request_id="r", now=now
    )


def test_the_oldest_waiting_job_is_claimed_once():
    first = a_job()
    second = a_job(now=NOW + timedelta(seconds=1))
    claims = [services.claim(owner, now=NOW) for owner in ("a", "b", "c")]
    assert [claim.id if claim else None for claim in claims] == [first, second, None]


def test_a_lease_that_runs_out_lets_another_process_take_over():
    job_id = a_job()
    lost = services.claim("dead", now=NOW)
    assert services.claim("b", now=NOW + timedelta(seconds=LEASE_S - 1)) is None
    taken = services.claim("b", now=LATER)
    assert taken is not None
    assert taken.id == job_id
    assert not services.renew(lost, now=LATER)
    assert not services.finish_chunk(lost, 0, [{"text": "late"}], now=LATER)
    services.complete(lost, now=LATER)
    assert services.load_job(str(job_id), key_id=None, now=LATER).state == JobState.RUNNING


def test_a_renewed_lease_holds():
    a_job()
    claim = services.claim("a", now=NOW)
    assert services.renew(claim, now=NOW + timedelta(seconds=LEASE_S - 1))
    assert services.claim("b", now=LATER) is None


def test_chunks_that_are_done_are_not_done_again():
    job_id = a_job(CHUNK + 5)
    dead = services.claim("dead", now=NOW)
    index, texts = services.next_chunk(dead)
    assert (index, len(texts)) == (0, CHUNK)
    services.finish_chunk(dead, 0, [{"at": i} for i in range(CHUNK)], now=NOW)
    heir = services.claim("heir", now=LATER)
    index, texts = services.next_chunk(heir)
    assert (index, len(texts)) == (1, 5)
    services.finish_chunk(heir, 1, [{"at": CHUNK + i} for i in range(5)], now=LATER)
    assert services.next_chunk(heir) is None
    services.complete(heir, now=LATER)
    facts = services.load_job(str(job_id), key_id="k", now=LATER)
    assert (facts.state, facts.n_done) == (JobState.COMPLETED, CHUNK + 5)
    assert [result["at"] for result in facts.results] == list(range(CHUNK + 5))


def test_a_job_that_ends_processes_is_given_up():
    job_id = a_job()
    now = NOW
    for n in range(MAX_ATTEMPTS):
        assert services.claim(f"dies-{n}", now=now) is not None
        now += timedelta(seconds=LEASE_S + 1)
    assert services.claim("next", now=now) is None
    facts = services.load_job(str(job_id), key_id=None, now=now)
    assert (facts.state, facts.error_code) == (JobState.FAILED, "job_gave_up")


def test_an_orderly_stop_gives_the_job_back_without_counting():
    a_job()
    for n in range(2 * MAX_ATTEMPTS):
        claim = services.claim(f"stops-{n}", now=NOW)
        assert claim is not None
        services.release(claim)


def test_a_failed_job_says_why():
    job_id = a_job()
    claim = services.claim("a", now=NOW)
    services.fail(claim, InputFailed("This text cannot be classified."), now=NOW)
    facts = services.load_job(str(job_id), key_id=None, now=NOW)
    assert (facts.state, facts.error_code, facts.results) == (JobState.FAILED, "input_failed", None)


def test_a_key_sees_its_own_jobs_only():
    job_id = a_job()
    assert services.load_job(str(job_id), key_id="k", now=NOW).id == job_id
    with pytest.raises(JobNotFound):
        services.load_job(str(job_id), key_id="other", now=NOW)


def test_old_finished_jobs_are_pruned_and_others_stay(settings):
    settings.BELLWETHER_RETENTION_DAYS = 30
    old, waiting = a_job(), a_job()
    Job.objects.filter(pk=old).update(state=JobState.COMPLETED, finished_at=NOW)
    assert prune_jobs.call() == 1
    assert list(Job.objects.values_list("pk", flat=True)) == [waiting]


@pytest.mark.django_db(transaction=True)
def test_a_job_left_behind_by_a_dead_process_is_finished_by_the_next(plane):
    job_id = a_job(CHUNK * 2, now=datetime.now(UTC) - timedelta(minutes=1))
    dead = services.claim("dead", now=datetime.now(UTC) - timedelta(seconds=LEASE_S + 1))
    services.finish_chunk(
        dead, 0, [{"text": "kept"}] * CHUNK, now=datetime.now(UTC) - timedelta(seconds=LEASE_S + 1)
    )

    async def next_process():
        runner = JobRunner(plane.service)
        runner.start()
        for _ in range(200):
            facts = await in_thread(
                lambda: services.load_job(str(job_id), key_id=None, now=datetime.now(UTC))
            )
            if facts.state == JobState.COMPLETED:
                break
            await asyncio.sleep(0.05)
        await runner.stop()
        return facts

    facts = asyncio.run(next_process())
    assert facts.state == JobState.COMPLETED
    assert [result["text"] for result in facts.results[:CHUNK]] == ["kept"] * CHUNK
    assert len(plane.recorder.records) == CHUNK
