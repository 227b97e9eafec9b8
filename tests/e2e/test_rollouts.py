"""A good and a bad candidate on a real server: the worker looks, nobody else does anything."""

import itertools
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from safetensors.numpy import load_file, save_file

from tests.e2e.conftest import MODEL
from tests.e2e.server import Server
from tests.inference.tiny import save_tiny

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PREDICT = f"/api/v1/models/{MODEL}/predict"
ROLLOUTS = f"/api/v1/models/{MODEL}/rollouts"
QUICK = {"min_step_s": 1, "min_requests": 200, "bake_s": 1, "metrics": ["errors", "labels"]}
LONGEST_S = 120.0
PAUSE_S = 0.6
_callers = itertools.count()


def register_two(server: Server, folder: Path) -> None:
    """Version 3: version 1 with a head that says the same of every text. Version 4: its twin."""
    sound = save_tiny(folder / "sound", seed=1)
    shutil.copytree(sound, folder / "stubborn")
    weights = load_file(folder / "stubborn" / "model.safetensors")
    weights["classifier.bias"][0] += 1000
    save_file(weights, folder / "stubborn" / "model.safetensors")
    server.manage("register", str(folder / "stubborn"), MODEL)
    (sound / "README.md").write_text("The same weights.\n")
    server.manage("register", str(sound), MODEL)


def play(client: httpx.Client, id: str) -> dict[str, Any]:
    """Send traffic of many callers until the rollout has ended; it as it is then."""
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        for _ in range(40):
            number = next(_callers)
            text = f"a film about number {number % 97} and the sea"
            headers = {"X-Route-Key": f"caller-{number}"}
            client.post(PREDICT, json={"inputs": text}, headers=headers).raise_for_status()
        # The worker looks every few seconds only.
        time.sleep(PAUSE_S)
        shown: dict[str, Any] = client.get(f"{ROLLOUTS}/{id}").json()
        if shown["state"] not in ("running", "baking"):
            return shown
    raise AssertionError(f"the rollout did not end: {shown}")


def start(client: httpx.Client, candidate: int) -> str:
    body = {
        "candidate": candidate,
        "steps": [40, 100],
        "options": QUICK
        | {"required": ["errors"], "margins": {"labels": {"worse": 0.3, "fine": 0.5}}},
    }
    answer = client.post(ROLLOUTS, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_the_bad_candidate_is_rejected_and_the_good_one_is_promoted(new_server, tmp_path):
    server = new_server(worker=True)
    register_two(server, tmp_path)
    with server.client() as client:
        bad = play(client, start(client, 3))
        assert bad["state"] == "aborted", bad["reason"]
        assert bad["reason"].startswith("labels")
        routes = client.get(f"/api/v1/models/{MODEL}/routes").json()["routes"]
        assert [(route["version"], route["weight"]) for route in routes] == [(1, 100)]
        refused = client.post(f"/api/v1/models/{MODEL}/versions/3/promote", json={})
        assert refused.status_code == 409
        events = client.get(f"/api/v1/models/{MODEL}/events").json()["results"]
        assert "rejected" in [event["kind"] for event in events[:4]]
        good = play(client, start(client, 4))
        assert good["state"] == "promoted", good["reason"]
        routes = client.get(f"/api/v1/models/{MODEL}/routes").json()["routes"]
        assert [(route["version"], route["weight"]) for route in routes] == [(4, 100)]
