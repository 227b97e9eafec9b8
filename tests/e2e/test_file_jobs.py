"""A file through a real server that is killed while it works on it: each row comes out once."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import MODEL
from tests.e2e.server import ROOT, Server, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DATA = os.environ.get("BELLWETHER_TEST_DATA")
LABELS = ("NEGATIVE", "POSITIVE")
N_ROWS = 4000
BAD = {100: b"", 2000: b"\xff\xfe", 3999: b"\0"}
JOBS = f"/api/v1/models/{MODEL}/jobs"


@pytest.fixture(scope="module")
def examples() -> list[dict]:
    if not DATA:
        pytest.skip("BELLWETHER_TEST_DATA is not set, so there are no SST-2 sentences")
    with gzip.open(
        Path(DATA) / "sst2" / "train_sentences.jsonl.gz", "rt", encoding="utf-8"
    ) as file:
        return [json.loads(line) for line in file][:N_ROWS]


def file_of(examples: list[dict]) -> bytes:
    """CSV of real sentences, with cells over two lines and some rows that are no good."""
    lines = [b"id,text,truth\r\n"]
    for n, row in enumerate(examples):
        text = io.StringIO(newline="")
        sentence = row["text"].replace(" , ", ",\n", 1) if n % 7 == 0 else row["text"]
        csv.writer(text).writerow([n, sentence, row["label"]])
        bad = BAD.get(n)
        lines.append(text.getvalue().encode() if bad is None else b"%d,%s,\r\n" % (n, bad))
    return b"".join(lines)


def n_handled(client: httpx.Client, job: str) -> int:
    found = client.get(job).json()
    return found["n_done"] + found["n_failed"]


def test_a_file_whose_server_is_killed_twice_comes_out_whole(new_server, examples):
    data = file_of(examples)
    server = new_server()
    with server.client() as client:
        answer = client.post(
            f"{JOBS}?format=csv&label_column=truth", content=gzip.compress(data, mtime=0)
        )
        assert answer.status_code == 202, answer.text
        job = answer.headers["location"]
        wait_until(lambda: n_handled(client, job) > 0, 60)
        server.kill()
    server = new_server()
    with server.client() as client:
        before = n_handled(client, job)
        assert 0 < before < N_ROWS
        wait_until(lambda: n_handled(client, job) > before, 60)
        server.kill()
    server = new_server()
    with server.client() as client:
        assert n_handled(client, job) < N_ROWS
        wait_until(lambda: client.get(job).json()["state"] == "completed", 120)
        found = client.get(job).json()
        rows = read(gzip.decompress(client.get(f"{job}/results").content))
        errors = [json.loads(line) for line in client.get(f"{job}/errors").content.splitlines()]
        wait_until(lambda: is_kept(client, rows[-1]["prediction_id"]), 30)
    assert (found["n_inputs"], found["n_done"]) == (N_ROWS, N_ROWS - len(BAD))
    assert found["n_labels"] == found["n_done"]
    expected = {int(row["id"]): row for row in read(data.replace(b"\xff\xfe", b""))}
    assert [int(row["id"]) for row in rows] == [n for n in range(N_ROWS) if n not in BAD]
    assert all(row["text"] == expected[int(row["id"])]["text"] for row in rows)
    assert all(row["label"] in LABELS for row in rows)
    assert len({row["prediction_id"] for row in rows}) == len(rows)
    assert [each["code"] for each in errors] == ["empty_text", "not_utf8", "nul_character"]


def is_kept(client: httpx.Client, prediction: str) -> bool:
    return client.get(f"/api/v1/predictions/{prediction}").status_code == 200


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def command(server: Server, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "predict-file", MODEL, *arguments],
        cwd=ROOT,
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_pauses_at_ctrl_c_and_goes_on_where_it_was(new_server, examples, tmp_path):
    source, target = tmp_path / "in.txt", tmp_path / "out.tsv"
    source.write_text("".join(f"{row['text'].strip()}\n" for row in examples))
    server = new_server()
    running = command(server, str(source), str(target))
    with server.client() as client:
        wait_until(lambda: client.get("/api/v1/jobs").json()["results"], 60)
        job = client.get("/api/v1/jobs").json()["results"][0]["id"]
        wait_until(lambda: n_handled(client, f"/api/v1/jobs/{job}") > 0, 60)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
        assert running.returncode == 130, told
        assert f"--resume {job}" in told
        wait_until(lambda: client.get(f"/api/v1/jobs/{job}").json()["state"] == "paused", 60)
    assert not target.exists()
    out, told = command(server, str(source), str(target), "--resume", job).communicate(timeout=120)
    assert f"{N_ROWS:,} rows in {target}" in out, told
    lines = target.read_text().splitlines()[1:]
    assert [line.split("\t", 5)[5] for line in lines] == source.read_text().splitlines()


def test_the_command_says_that_nobody_serves_and_what_was_wrong_with_rows(new_server, tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"text": "a fine film"}\n{"text": ""}\n')
    server = new_server()
    running = command(server, str(source), str(target))
    out, told = running.communicate(timeout=60)
    assert running.returncode == 3, told
    assert f"1 rows in {target}, 1 without an answer in {target}.errors.jsonl" in out
    assert "empty_text" in Path(f"{target}.errors.jsonl").read_text()
    server.stop()
    running = command(server, str(source), str(target), "--force")
    _, told = running.communicate(timeout=60)
    assert (running.returncode, "No serving process runs" in told) == (1, True)
