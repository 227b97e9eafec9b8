"""Random events and killed writers: the roll-ups stay what the rows say."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from django.db import connection

from benchmarks.recount_storm import Report

ROOT = Path(__file__).resolve().parents[3]

N_EVENTS, N_KILLS = 8_000, 5


@pytest.mark.slow
def test_roll_ups_equal_the_rows_after_killed_writers(tmp_path: Path) -> None:
    out = tmp_path / "storm.json"
    server = os.environ["DATABASE_URL"] if connection.vendor == "postgresql" else ""
    options = ["--n", str(N_EVENTS), "--kills", str(N_KILLS), "--json", str(out)]
    command = [sys.executable, "-m", "benchmarks.recount_storm", *options, "--postgres", server]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    [storm] = msgspec.json.decode(out.read_bytes(), type=Report).storms
    assert storm.n_kills > 0
    assert storm.n_predictions == N_EVENTS // 2
    assert storm.n_labelled > N_EVENTS // 10
    assert storm.n_revised > 500
    assert storm.n_weights > 50
    assert (storm.n_differ_by_recount, storm.n_differ_by_sql, storm.n_negative) == (0, 0, 0)
