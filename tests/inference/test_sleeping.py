"""A model that sleeps, asked in every dialect: it is loaded, and the request is answered."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from inference.http.guides import Guides
from tests.inference.conftest import LIMITS, Plane, a_plane
from tests.inference.doubles import a_predictor, a_spec

OTHER = "team/other"
TEXT = "a good film"
OIP = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]}
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "native": ("POST", f"/api/v1/models/{OTHER}/predict", {"inputs": TEXT}),
    "tokenise": ("POST", f"/api/v1/models/{OTHER}/tokenize", {"inputs": TEXT}),
    "huggingface": ("POST", f"/models/{OTHER}", {"inputs": TEXT}),
    "oip": ("POST", f"/v2/models/{OTHER}/infer", OIP),
    "load": ("POST", f"/v2/repository/models/{OTHER}/load", {}),
}
LOOKS = {
    "metadata": f"/v2/models/{OTHER}",
    "config": f"/v2/models/{OTHER}/config",
    "ready": f"/v2/models/{OTHER}/ready",
    "statistics": f"/v2/models/{OTHER}/stats",
    "huggingface": f"/models/{OTHER}",
    "openai": f"/v1/models/{OTHER}",
}


@pytest.fixture
def plane() -> Iterator[Plane]:
    """`team/other` is served beside `team/model`; the reconciler goes on."""
    with a_plane(others=[a_predictor(a_spec(model=OTHER))]) as plane:
        plane.reconciler.start()
        try:
            yield plane
        finally:
            plane.reconciler.stop()


def unload(plane: Plane, key: str = "good-key") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    path = f"/v2/repository/models/{OTHER}/unload"
    return plane.call("POST", path, json={}, headers=headers)


def state(plane: Plane) -> dict[str, Any]:
    models = plane.call("GET", "/health/ready").json()["models"]
    return next(each for each in models if each["model"] == OTHER)


@pytest.mark.parametrize("dialect", REQUESTS)
def test_a_request_wakes_it_and_is_answered(plane: Plane, dialect: str) -> None:
    assert unload(plane).status_code == 200
    assert (state(plane)["version"], state(plane)["asleep"]) == (None, True)
    method, path, body = REQUESTS[dialect]
    answer = plane.call(method, path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-model-version"] == "1"
    assert (state(plane)["version"], "asleep" in state(plane)) == (1, False)


@pytest.mark.parametrize("look", LOOKS)
def test_who_only_looks_gets_the_facts_and_wakes_nobody(plane: Plane, look: str) -> None:
    before = plane.call("GET", LOOKS[look])
    unload(plane)
    after = plane.call("GET", LOOKS[look])
    assert (after.status_code, after.json()) == (before.status_code, before.json())
    assert state(plane)["asleep"]


def test_the_process_stays_ready_and_lists_it(plane: Plane) -> None:
    unload(plane)
    assert plane.call("GET", "/health/ready").status_code == 200
    listed = plane.call("GET", "/v1/models").json()["data"]
    assert OTHER in {each["id"] for each in listed}
    index = plane.call("POST", "/v2/repository/index", json={}).json()
    (entry,) = [each for each in index if each["name"] == OTHER]
    assert (entry["state"], "sleeps" in entry["reason"]) == ("UNAVAILABLE", True)


def test_its_guide_says_all_that_is_known_without_loading_it(plane: Plane) -> None:
    guides = Guides(plane.service, LIMITS)
    awake = guides.tell(OTHER)
    unload(plane)
    asleep = guides.tell(OTHER)
    assert awake is not None
    assert asleep == awake | {
        "device": None,
        "limits": awake["limits"] | {"max_tokens": None},
    }
    assert state(plane)["asleep"]


def test_many_requests_at_once_wake_it_once(plane: Plane) -> None:
    unload(plane)
    method, path, body = REQUESTS["native"]

    async def ask() -> list[httpx.Response]:
        return await asyncio.gather(*(plane.acall(method, path, json=body) for _ in range(32)))

    assert [answer.status_code for answer in asyncio.run(ask())] == [200] * 32
    assert plane.loaded.count(OTHER) == 2


def test_whoever_may_only_ask_unloads_nothing(plane: Plane) -> None:
    assert unload(plane, "asker").status_code == 403
    assert state(plane)["version"] == 1
