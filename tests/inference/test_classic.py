"""The classic dialect keeps its shapes."""

import asyncio
import time

import pytest

from inference.jobs.runner import JobRunner


def test_the_root_says_what_this_is_without_a_key(plane):
    response = plane.call("GET", "/", headers={})
    assert response.status_code == 200
    assert set(response.json()) == {"name", "model", "docs", "admin", "health"}


def test_sentiment_answers_in_its_old_shape(plane):
    body = plane.call("POST", "/sentiment", json={"text": "good"}).json()
    assert set(body) == {"text", "label", "score", "prediction_id"}
    assert (body["text"], body["label"]) == ("good", "POSITIVE")
    assert str(plane.recorder.records[0].id) == body["prediction_id"]


@pytest.mark.parametrize("path", ["/batch-sentiment", "/concurrent-batch-sentiment"])
def test_batches_answer_in_order_with_the_time_they_took(plane, path):
    texts = [f"{word} {n}" for n, word in enumerate(["good", "bad"] * 10)]
    body = plane.call("POST", path, json={"texts": texts}).json()
    assert set(body) == {"results", "processing_time"}
    assert [result["text"] for result in body["results"]] == texts
    assert [result["label"] for result in body["results"]] == ["POSITIVE", "NEGATIVE"] * 10
    assert 0 < body["processing_time"] < 5
    assert len({result["prediction_id"] for result in body["results"]}) == 20


def test_one_poison_text_fails_a_concurrent_batch_with_its_own_error(plane):
    response = plane.call("POST", "/concurrent-batch-sentiment", json={"texts": ["good", "poison"]})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "input_failed"


def test_analyze_shows_every_score(plane):
    body = plane.call("POST", "/analyze", json={"text": "good film"}).json()
    assert [score["label"] for score in body["scores"]] == ["POSITIVE", "NEGATIVE"]
    assert (body["n_tokens"], body["n_characters"], body["version"]) == (2, 9, 1)


def test_errors_carry_the_detail_that_old_clients_read(plane):
    response = plane.call("POST", "/sentiment", json={"text": ""})
    body = response.json()
    assert response.status_code == 422
    assert body["detail"] == body["error"]["message"]
    assert body["error"]["code"] == "invalid_text"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sentiment", {"texts": ["a"]}),
        ("/batch-sentiment", {"texts": "a"}),
        ("/batch-sentiment", {"texts": []}),
        ("/async-sentiment", {"texts": ["a", ""]}),
        ("/async-sentiment", {"texts": ["a"] * 1001}),
    ],
)
def test_wrong_bodies_are_422(plane, path, body):
    assert plane.call("POST", path, json=body).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_a_job_is_accepted_finished_and_read(plane):
    async def whole_life():
        runner = JobRunner(plane.service)
        runner.start()
        started = await plane.acall(
            "POST", "/async-sentiment", json={"texts": ["good", "bad"] * 70}
        )
        job_id, deadline = started.json()["job_id"], time.monotonic() + 10
        while time.monotonic() < deadline:
            job = (await plane.acall("GET", f"/job/{job_id}")).json()
            if job["status"] != "processing":
                break
            await asyncio.sleep(0.05)
        await runner.stop()
        return started, job

    started, job = asyncio.run(whole_life())
    assert started.status_code == 202
    assert set(started.json()) == {"job_id", "status"}
    assert (job["status"], job["n_done"]) == ("completed", 140)
    assert [result["label"] for result in job["results"]] == ["POSITIVE", "NEGATIVE"] * 70
    assert job["processing_time"] > 0
    assert len(plane.recorder.records) == 140


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("job_id", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_job_is_a_404(plane, job_id):
    response = plane.call("GET", f"/job/{job_id}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "job_not_found")


@pytest.mark.django_db(transaction=True)
def test_a_job_with_a_poison_text_fails_with_the_reason(plane):
    async def whole_life():
        runner = JobRunner(plane.service)
        runner.start()
        started = await plane.acall("POST", "/async-sentiment", json={"texts": ["good", "poison"]})
        for _ in range(200):
            job = (await plane.acall("GET", f"/job/{started.json()['job_id']}")).json()
            if job["status"] != "processing":
                break
            await asyncio.sleep(0.05)
        await runner.stop()
        return job

    job = asyncio.run(whole_life())
    assert (job["status"], job["error_code"]) == ("failed", "input_failed")
    assert "results" not in job
