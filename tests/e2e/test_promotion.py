"""A promotion reaches the engine within a second and fails nobody."""

import asyncio
import time

import httpx
import pytest

from tests.e2e.conftest import MODEL
from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TEXT = "a warm and funny film"


def _golden(server: Server) -> dict[int, float]:
    """The score of TEXT by each version, as the server serves one after the other."""
    scores = {}
    with server.client() as client:
        for number in (2, 1):
            client.post(
                f"/api/v1/models/{MODEL}/versions/{number}/promote", json={}
            ).raise_for_status()
            while True:
                body = client.post(f"/api/v1/models/{MODEL}/predict", json={"inputs": TEXT}).json()
                if body["version"] == number:
                    scores[number] = body["predictions"][0]["score"]
                    break
    assert scores[1] != pytest.approx(scores[2], abs=1e-3)
    return scores


async def _storm(server: Server, n_promotions: int) -> tuple[list[tuple[int, float]], list[float]]:
    """Promote back and forth under load; return (version, score) answers and the delays."""
    answers: list[tuple[int, float]] = []
    delays: list[float] = []
    is_over = False

    async def ask(client: httpx.AsyncClient) -> None:
        while not is_over:
            response = await client.post(f"/api/v1/models/{MODEL}/predict", json={"inputs": TEXT})
            assert response.status_code == 200, response.text
            body = response.json()
            assert response.headers["x-model-version"] == str(body["version"])
            answers.append((body["version"], body["predictions"][0]["score"]))

    async with server.async_client() as client:
        asking = [asyncio.create_task(ask(client)) for _ in range(8)]
        for n in range(n_promotions):
            number = 2 - n % 2
            path = f"/api/v1/models/{MODEL}/versions/{number}/promote"
            (await client.post(path, json={"reason": "storm"})).raise_for_status()
            promoted_at = time.monotonic()
            while answers[-1:] == [] or answers[-1][0] != number:
                assert time.monotonic() - promoted_at < 5
                await asyncio.sleep(0.005)
            delays.append(time.monotonic() - promoted_at)
        is_over = True
        await asyncio.gather(*asking)
    return answers, delays


def test_promotions_under_load_fail_nobody_and_never_lie_about_the_version(new_server):
    server = new_server()
    golden = _golden(server)
    answers, delays = asyncio.run(_storm(server, 20))
    assert len(answers) > 100
    assert all(score == pytest.approx(golden[version], abs=1e-4) for version, score in answers)
    assert max(delays) < 2.0


def seconds_until_answered_by(client: httpx.Client, version: int) -> float:
    began = time.monotonic()
    while client.post("/sentiment", json={"text": TEXT}).headers["x-model-version"] != str(version):
        assert time.monotonic() - began < 5.0
    return time.monotonic() - began


def test_a_promotion_by_command_reaches_a_running_server_within_a_second(new_server):
    server = new_server()
    server.manage("promote", MODEL, "2", "--reason", "by hand")
    with server.client() as client:
        after_promotion = seconds_until_answered_by(client, 2)
        events = client.get(f"/api/v1/models/{MODEL}/events").json()["results"]
        promoted = [event for event in events if event["kind"] == "promoted"]
        assert promoted[0]["reason"] == "by hand"
        server.manage("rollback", MODEL)
        # Other work may hold the cores once.
        assert min(after_promotion, seconds_until_answered_by(client, 1)) < 1.0
