"""The benchmark of rollouts in small: what it plays, counts and prints."""

import json

from benchmarks import rollout_aa
from benchmarks.rollout_aa import KINDS, OPTIONS, STABLE, measure
from monitoring.quality.intervals import proportion


def test_equal_versions_are_aborted_no_more_often_than_promised():
    outcome = measure("A/A", STABLE, OPTIONS, 60, seed=5, show=lambda line: None)
    low, high = proportion(outcome.n_aborted, 60)
    assert (outcome.low, outcome.high) == (float(low), float(high))
    assert outcome.low <= OPTIONS.alpha
    assert outcome.n_promoted + outcome.n_aborted + outcome.n_open == 60


def test_a_run_prints_and_keeps_every_kind(tmp_path, capsys):
    out = tmp_path / "aa.json"
    assert rollout_aa.main(["--aa", "4", "--worse", "2", "--json", str(out)]) == 0
    kept = json.loads(out.read_text())
    assert [outcome["what"] for outcome in kept["outcomes"]] == [what for what, _, _ in KINDS]
    printed = capsys.readouterr().out
    assert all(what in printed for what, _, _ in KINDS)
    slower = next(outcome for outcome in kept["outcomes"] if outcome["what"] == "latency x 1.5")
    assert slower["by"] == {"latency": 2}
