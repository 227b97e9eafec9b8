"""The whole loop on real data: classify SST-2 dev over HTTP, send its labels, read the quality."""

import asyncio
import gzip
import html
import json
import os
import re
import stat
from pathlib import Path

import httpx
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from tests.e2e import databases
from tests.e2e.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MODEL = "starter/sentiment"
N_CLIENTS = 32


def _sst2_dev() -> list[tuple[str, str]]:
    if "BELLWETHER_TEST_DATA" not in os.environ:
        pytest.skip("BELLWETHER_TEST_DATA does not say where the SST-2 data is")
    path = Path(os.environ["BELLWETHER_TEST_DATA"]) / "sst2" / "dev.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [(row["text"], row["label_name"].upper()) for row in rows]


async def _in_parallel(server: Server, items: list, ask) -> list:
    """Send `items` from 32 clients, each with its own connection; answers in order."""
    answers: list = [None] * len(items)

    async def one_client(first: int) -> None:
        async with server.async_client() as client:
            for at in range(first, len(items), N_CLIENTS):
                response: httpx.Response = await ask(client, items[at])
                assert response.status_code == 200, response.text
                answers[at] = response.json()

    await asyncio.gather(*(one_client(first) for first in range(N_CLIENTS)))
    return answers


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    data = _sst2_dev()
    home = tmp_path_factory.mktemp("whole-loop") / "home"
    server = Server(home, is_fresh=True)
    # From nothing, as on a new machine: the tables are made, too.
    (home / databases.FILE).unlink(missing_ok=True)
    server.start()
    try:
        answers = asyncio.run(
            _in_parallel(
                server,
                [text for text, _ in data],
                lambda client, text: client.post(
                    f"/api/v1/models/{MODEL}/predict", json={"inputs": text}
                ),
            )
        )
        predictions = [answer["predictions"][0] for answer in answers]
        feedback = [
            {"prediction_id": prediction["id"], "correct_label": label}
            for prediction, (_, label) in zip(predictions, data, strict=True)
        ]
        outcomes = asyncio.run(
            _in_parallel(
                server, feedback, lambda client, item: client.post("/api/v1/feedback", json=item)
            )
        )
        yield server, data, predictions, outcomes
    finally:
        server.stop()
        databases.drop_for(home)


def test_the_starter_model_is_right_often_enough(loop):
    _, data, predictions, _ = loop
    right = [
        prediction["label"] == label
        for prediction, (_, label) in zip(predictions, data, strict=True)
    ]
    assert np.mean(right) >= 0.88


def test_every_prediction_and_its_text_is_kept(loop):
    server, data, predictions, _ = loop
    kept = {}
    with server.client() as client:
        page = client.get("/api/v1/predictions", params={"model": MODEL, "limit": 500}).json()
        while True:
            kept |= {row["id"]: row for row in page["results"]}
            if not page["next"]:
                break
            page = client.get(page["next"]).json()
    assert len(kept) == len(data)
    for prediction, (text, _) in zip(predictions, data, strict=True):
        assert kept[prediction["id"]]["label"] == prediction["label"]
        assert kept[prediction["id"]]["text"] == text


def test_every_feedback_was_recorded(loop):
    *_, outcomes = loop
    assert {outcome["status"] for outcome in outcomes} == {"recorded"}


def test_quality_equals_scikit_learn_on_the_raw_answers(loop):
    server, data, predictions, _ = loop
    with server.client() as client:
        quality = client.get(f"/api/v1/models/{MODEL}/quality").json()
    actual = [label for _, label in data]
    predicted = [prediction["label"] for prediction in predictions]
    labels = ["NEGATIVE", "POSITIVE"]
    precision, recall, f1, support = precision_recall_fscore_support(
        actual, predicted, labels=labels
    )
    assert (quality["n_predicted"], quality["n_labelled"]) == (len(data), len(data))
    assert quality["accuracy"]["value"] == pytest.approx(accuracy_score(actual, predicted))
    for at, shown in enumerate(quality["classes"]):
        assert shown["label"] == labels[at]
        assert shown["support"] == support[at]
        assert shown["precision"]["value"] == pytest.approx(precision[at])
        assert shown["recall"]["value"] == pytest.approx(recall[at])
        assert shown["f1"]["value"] == pytest.approx(f1[at])
        assert shown["f1"]["low"] < shown["f1"]["value"] < shown["f1"]["high"]
    for average in ("macro", "weighted"):
        expected = precision_recall_fscore_support(
            actual, predicted, labels=labels, average=average
        )
        assert quality[average]["f1"]["value"] == pytest.approx(expected[2])
        assert quality[average]["f1"]["low"] < expected[2] < quality[average]["f1"]["high"]


def test_nothing_was_dropped_and_the_recorder_has_caught_up(loop):
    server, data, _, _ = loop
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    values = {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }
    assert values["bellwether_predictions_dropped_total"] == 0
    assert values["bellwether_recorder_lag_seconds"] == 0
    answered = [
        value for name, value in values.items() if name.startswith("bellwether_predictions_total{")
    ]
    assert sum(answered) >= len(data)


def test_the_first_run_file_is_private_and_complete(loop):
    server, *_ = loop
    path = server.home / "first-run.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(server.first_run) == {"url", "admin_user", "admin_password", "api_key"}
    shown = "".join(server.output)
    assert shown.count(server.first_run["api_key"]) == 2  # the key itself, and in the curl to paste
    assert "curl -s" in shown


def test_the_docs_page_and_its_assets_come_from_this_server(loop):
    server, *_ = loop
    with httpx.Client(base_url=server.url) as client:
        page = client.get("/docs")
        assert page.status_code == 200
        assets = [html.unescape(each) for each in re.findall(r'src="([^"]+)"', page.text)]
        assert assets
        assert all(re.match(r"/static/|/docs\?", asset) for asset in assets)
        assert all(client.get(asset).status_code == 200 for asset in assets)
        schema = client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()
    assert "/api/v1/models/{namespace}/{name}/predict" in schema["paths"]
    assert "/api/v1/feedback" in schema["paths"]
    assert "/sentiment" in schema["paths"]
