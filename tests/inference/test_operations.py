"""Health says what is true; metrics count what happened."""

import asyncio
import threading

from inference.http import operations
from inference.http.operations import Operations
from tests.inference.doubles import a_spec


def test_live_needs_no_key_and_no_model(plane):
    assert plane.call("GET", "/health/live", headers={}).json() == {"status": "live"}


def test_ready_runs_a_real_forward_pass_once_in_a_while(plane):
    first = plane.call("GET", "/health/ready", headers={})
    assert (first.status_code, first.json()["status"]) == (200, "ready")
    plane.call("GET", "/health/ready", headers={})
    assert len(plane.predictor.runtime.batches) == 1


def test_a_model_that_cannot_run_makes_it_not_ready(plane):
    plane.predictor.runtime.forward = lambda batch: 1 / 0
    response = plane.call("GET", "/health/ready", headers={})
    assert response.status_code == 503
    assert "team/model" in response.json()["reasons"][0]


def test_a_version_that_does_not_load_makes_it_not_ready_and_says_why(plane):
    def broken(spec):
        raise OSError("cannot map the weights")

    plane.reconciler._load = broken
    plane.registry.route((a_spec(2), 100))
    plane.reconciler.reconcile()
    response = plane.call("GET", "/health/ready", headers={})
    assert response.status_code == 503
    assert "cannot map the weights" in response.json()["reasons"][0]
    assert plane.predict("good").json()["version"] == 1


def test_classic_health_names_the_model(plane):
    body = plane.call("GET", "/health", headers={}).json()
    assert body == {
        "status": "healthy",
        "model_loaded": True,
        "model": "team/model",
        "version": 1,
        "device": "fake",
    }


def test_metrics_need_the_read_scope(plane):
    assert plane.call("GET", "/metrics", headers={}).status_code == 401
    assert plane.call("GET", "/metrics", headers={"X-API-Key": "reader"}).status_code == 200


def test_metrics_count_answers_by_label(plane):
    def positives() -> float:
        text = plane.call("GET", "/metrics", headers={"X-API-Key": "reader"}).text
        wanted = 'bellwether_predictions_total{label="POSITIVE",model="team/model",version="1"} '
        return sum(
            float(line.removeprefix(wanted))
            for line in text.splitlines()
            if line.startswith(wanted)
        )

    before = positives()
    plane.predict(["good", "bad", "good"])
    assert positives() == before + 2


def test_dropped_predictions_are_counted_and_stay_at_zero_otherwise(plane):
    def dropped() -> float:
        text = plane.call("GET", "/metrics", headers={"X-API-Key": "reader"}).text
        return float(text.split("\nbellwether_predictions_dropped_total ")[1].split("\n")[0])

    before = dropped()
    plane.predict("good")
    assert dropped() == before

    def broken(records):
        raise OSError("disk full")

    plane.recorder.record = broken
    plane.predict("good")
    assert dropped() == before + 1


def test_a_slow_database_holds_up_no_scrape(plane, monkeypatch):
    monkeypatch.setattr(operations, "SCRAPE_TIMEOUT_S", 0.05)
    may_end, entered = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        may_end.wait(10)

    endpoint = Operations(
        plane.service, plane.reconciler, model="", metrics_open=True, before_scrape=wait
    )

    async def scrape() -> bytes:
        try:
            return (await endpoint.metrics(None)).body
        finally:
            may_end.set()

    assert b"bellwether_ready" in asyncio.run(scrape())
    assert entered.is_set()
