"""Texts become a reference by way of a real server, and survive its death half-way."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.metrics import f1_score

from tests.e2e import databases
from tests.e2e.server import Server, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DATA = os.environ.get("BELLWETHER_TEST_DATA")
MODEL = "starter/sentiment"
PATH = f"/api/v1/models/{MODEL}/references"
LABELS = ("NEGATIVE", "POSITIVE")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    databases.drop_for(tmp_path / "home")


@pytest.fixture
def examples() -> list[dict[str, Any]]:
    if not DATA:
        pytest.skip("BELLWETHER_TEST_DATA is not set, so there are no SST-2 sentences")
    with gzip.open(Path(DATA) / "sst2" / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def predicted(client: httpx.Client, texts: list[str]) -> list[str]:
    labels: list[str] = []
    for start in range(0, len(texts), 200):
        body = {"inputs": texts[start : start + 200]}
        answer = client.post(f"/api/v1/models/{MODEL}/predict", json=body).json()
        labels += [row["label"] for row in answer["predictions"]]
    return labels


def test_sentences_become_a_reference_whose_f1_is_that_of_their_answers(
    home: Path, examples: list[dict[str, Any]]
) -> None:
    server = Server(home).start()
    try:
        with server.client() as client:
            body = "\n".join(json.dumps(row) for row in examples)
            kind = {"Content-Type": "application/x-ndjson"}
            asked = client.post(PATH, content=body, headers=kind)
            assert asked.status_code == 201, asked.text
            id = asked.json()["id"]
            wait_until(lambda: client.get(f"{PATH}/{id}").json()["n_done"] > 0, 60)
            server.kill()
        server = Server(home).start()
        with server.client() as client:
            wait_until(lambda: client.get(f"{PATH}/{id}").json()["state"] == "ready", 120)
            made = client.get(f"{PATH}/{id}").json()
            # Nobody asked for these answers, so none is a prediction.
            assert client.get("/api/v1/predictions").json()["results"] == []
            answers = predicted(client, [row["text"] for row in examples])
            events = client.get(f"/api/v1/models/{MODEL}/events").json()["results"]
    finally:
        server.stop()
    truth = [LABELS[row["label"]] for row in examples]
    assert (made["n"], made["n_labelled"], made["is_active"]) == (872, 872, True)
    assert made["summary"]["labels"] == {name: answers.count(name) for name in LABELS}
    assert made["summary"]["macro_f1"] == pytest.approx(
        f1_score(truth, answers, average="macro"), abs=1e-6
    )
    [event] = [e for e in events if e["details"].get("reference") == id]
    assert (event["kind"], event["details"]["n"]) == ("rebaselined", 872)
    server.manage("audit", "--verify")
