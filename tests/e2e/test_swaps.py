"""Hot swap in the real process: what may not serve does not, and what serves goes on."""

import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import MODEL
from tests.e2e.server import Server, wait_until
from tests.inference.tiny import save_tiny

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PREDICT = f"/api/v1/models/{MODEL}/predict"
DEPLOYMENT = f"/api/v1/models/{MODEL}/deployment"


def serves(client) -> int:
    return client.post(PREDICT, json={"inputs": "a warm film"}).json()["version"]


def version(client, number: int) -> dict:
    replica = client.get(DEPLOYMENT).json()["replicas"][-1]
    return next((v for v in replica["versions"] if v["version"] == number), {"state": None})


def test_update_model_swaps_and_says_so_and_takes_no_path(new_server):
    server: Server = new_server()
    with server.client() as client:
        reply = client.post("/update-model", json={"model_path": MODEL, "version_name": "v2"})
        assert reply.status_code == 200
        assert (reply.json()["version"], reply.json()["status"]) == (2, "active")
        assert serves(client) == 2
        for path in ("/srv/models/new", str(server.home), "../v1", f"{MODEL}/../x"):
            refused = client.post("/update-model", json={"model_path": path, "version_name": "v1"})
            assert refused.status_code == 422
            assert refused.json()["error"]["code"] == "path_not_accepted"
        assert serves(client) == 2
        kept = version(client, 1)
        wait_until(lambda: version(client, 1)["state"] == "standby")
        assert kept["evidence"]["golden_cases"] >= 8
        assert {"load_s", "measured_bytes", "warm_p95_s", "estimated_bytes"} <= set(
            kept["evidence"]
        )
        ready = client.get("/health/ready").json()
        assert {v["state"] for v in ready["models"][0]["versions"]} == {"active", "standby"}


def test_a_version_that_fails_its_golden_inputs_never_answers(new_server, tmp_path):
    server: Server = new_server()
    directory = save_tiny(tmp_path / "v3", seed=3)
    cases = [{"input": "a warm film", "label": label} for label in ("NEGATIVE", "POSITIVE")]
    (directory / "golden.json").write_text(json.dumps({"cases": cases}))
    server.manage("register", str(directory), MODEL)
    with server.client() as client:
        client.post(f"/api/v1/models/{MODEL}/versions/3/promote", json={}).raise_for_status()
        wait_until(lambda: client.get(DEPLOYMENT).json()["state"] == "failed")
        assert version(client, 3)["reason"].startswith("golden_failed: ")
        assert serves(client) == 1
        assert client.get("/health/ready").status_code == 200
        client.post(f"/api/v1/models/{MODEL}/rollback", json={}).raise_for_status()
        wait_until(lambda: client.get(DEPLOYMENT).json()["converged"])
        assert serves(client) == 1


def test_what_does_not_fit_is_refused_with_the_figures(new_server):
    server: Server = new_server(BELLWETHER_MEMORY_LIMIT_BYTES="100000000")
    with server.client() as client:
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert "does_not_fit" in ready.json()["reasons"][0]
        assert client.get("/health/live").status_code == 200
        evidence = version(client, 1)["evidence"]
    assert evidence["limit_bytes"] == 100_000_000
    assert evidence["used_bytes"] + evidence["headroom_bytes"] > evidence["limit_bytes"]


def _kill_while_loading(home: Path, number: int) -> None:
    """kill -9 the process that lays the next mark of loading that version."""
    known = _marks(home, number)
    deadline = time.monotonic() + 60
    while not (new := _marks(home, number) - known):
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    os.kill(int(new.pop().split("-")[-2]), signal.SIGKILL)


def _marks(home: Path, number: int) -> set[str]:
    return {mark.name for mark in (home / "loading").glob(f"{'?' * 32}-{number}-*")}


def test_a_version_whose_loading_ends_the_server_twice_is_not_tried_again(new_server):
    server: Server = new_server()
    for start in (lambda: server.manage("promote", MODEL, "2"), new_server):
        killer = threading.Thread(target=_kill_while_loading, args=(server.home, 2))
        killer.start()
        with suppress(AssertionError):  # The second one dies before it answers.
            start()
        killer.join()
    server = new_server()
    with server.client() as client:
        wait_until(lambda: client.get(DEPLOYMENT).json()["state"] == "failed")
        assert version(client, 2)["reason"].startswith("crash_suspect: ")
        assert serves(client) == 1
        assert client.get("/health/ready").status_code == 200
        client.post(f"{DEPLOYMENT}/retry", json={}).raise_for_status()
        wait_until(lambda: serves(client) == 2)


def test_the_worker_makes_golden_inputs_for_versions_nobody_has_promoted(new_server):
    server: Server = new_server(worker=True)
    with server.client() as client:
        events = f"/api/v1/models/{MODEL}/events"

        def made() -> dict[int, str]:
            found = client.get(events, params={"limit": 100}).json()["results"]
            return {e["version"]: e["actor"] for e in found if e["kind"] == "golden_set"}

        wait_until(lambda: set(made()) == {1, 2}, 120)
        assert made() == {1: "loading", 2: "worker"}


def test_lazily_a_model_is_loaded_by_its_first_request_and_a_pinned_one_at_the_start(new_server):
    def asleep(client) -> bool:
        (model,) = client.get("/health/ready").raise_for_status().json()["models"]
        return model.get("asleep", False)

    # A version that was never loaded is, lazy or not: it has to prove itself.
    new_server(BELLWETHER_LOADING="lazy").stop()
    server: Server = new_server(BELLWETHER_LOADING="lazy")
    with server.client() as client:
        assert asleep(client)
        assert serves(client) == 1
        assert not asleep(client)
        wait_until(lambda: not client.get(DEPLOYMENT).json()["replicas"][-1]["asleep"])
    server.stop()
    server.manage("pin", MODEL)
    server = new_server(BELLWETHER_LOADING="lazy")
    with server.client() as client:
        assert not asleep(client)
