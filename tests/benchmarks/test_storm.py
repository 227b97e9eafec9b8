"""The storm sees what it is there to see: a wrong answer, another version's answer, a bad tail."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from benchmarks import swap_storm
from benchmarks.load import Plan
from benchmarks.storm_load import Golden, StormRun
from benchmarks.swap_storm import Result, limits_of, make_variant
from tests.inference.tiny import save_tiny

GOLDEN = {"1": [Golden("POSITIVE", 0.9)], "2": [Golden("NEGATIVE", 0.9)]}


def answer(version: int, label: str, score: float) -> bytes:
    body = {"version": version, "predictions": [{"id": "x", "label": label, "score": score}]}
    return b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(body).encode()


@pytest.mark.parametrize(
    ("version", "label", "score", "n_wrong"),
    [
        (1, "POSITIVE", 0.9, 0),
        (1, "POSITIVE", 0.9005, 0),
        (1, "POSITIVE", 0.91, 1),
        (2, "POSITIVE", 0.9, 1),
        (2, "NEGATIVE", 0.9, 0),
    ],
)
def test_an_answer_is_judged_by_the_version_that_it_names(version, label, score, n_wrong):
    run = StormRun(Plan(port=1, path="/", clients=1, seconds=1), GOLDEN)
    run.answered(0, b"200", answer(version, label, score), time.perf_counter())
    assert (run.n_wrong, len(run.answers)) == (n_wrong, 1)


def test_a_refusal_is_counted_and_not_read():
    run = StormRun(Plan(port=1, path="/", clients=1, seconds=1), GOLDEN)
    run.answered(0, b"503", b"HTTP/1.1 503\r\n\r\n{}", time.perf_counter())
    assert run.statuses == {"503": 1}
    assert run.answers == []


def test_the_variant_has_its_classes_the_other_way_round(tmp_path):
    model = save_tiny(tmp_path / "model")
    variant = make_variant(model, tmp_path / "variant")
    before, after = (load_file(each / "model.safetensors") for each in (model, variant))
    assert np.array_equal(before["classifier.weight"], after["classifier.weight"][::-1])
    others = [name for name in before if not name.startswith("classifier")]
    assert all(np.array_equal(before[name], after[name]) for name in others)


def result(**changes) -> Result:
    figures = dict.fromkeys(Result.__struct_fields__, 1) | {
        "by_version": {},
        "statuses": {},
        "wrong_examples": [],
        "failed": 0,
        "wrong": 0,
    }
    return Result(**(figures | changes))


@pytest.mark.parametrize(
    ("changes", "is_met"),
    [
        ({}, True),
        ({"failed": 1}, False),
        ({"wrong": 1}, False),
        ({"storm_p99_ms": 1.6}, False),
        ({"rss_peak_mb": 2.1}, False),
    ],
)
def test_every_promise_has_a_limit(changes, is_met):
    assert all(limit.is_met for limit in limits_of(result(**changes))) == is_met


@pytest.mark.e2e
@pytest.mark.slow
def test_a_short_storm_fails_nobody(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = save_tiny(data / "model"), data / "out.json"
    arguments = ["--model", str(model), "--promotions", "6", "--steady", "2", "--clients", "8"]
    assert swap_storm.main([*arguments, "--json", str(out), "--no-limits"]) == 0
    found = json.loads(out.read_bytes())["result"]
    assert (found["failed"], found["wrong"]) == (0, 0)
    assert set(found["by_version"]) == {"1", "2"}
    assert "6 promotions" in capsys.readouterr().out
