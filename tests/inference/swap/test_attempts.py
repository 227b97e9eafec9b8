"""A load that ends the process leaves a mark; one that ends in an error does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from inference.swap.attempts import Attempts
from inference.swap.preparing import Preparer
from inference.swap.states import CannotServe, SwapState, Track
from tests.inference.doubles import a_predictor, a_spec

ROOT = Path(__file__).resolve().parents[3]
CRASH = """
import os, sys
from pathlib import Path
from inference.swap.attempts import Attempts
from tests.inference.doubles import a_spec
with Attempts(Path(sys.argv[1])).trying(a_spec(2), 7):
    os._exit(9)
"""


def crash(folder: Path) -> None:
    command = [sys.executable, "-c", CRASH, str(folder)]
    assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == 9


def test_a_load_that_ends_well_or_with_an_error_leaves_no_mark(tmp_path):
    attempts = Attempts(tmp_path)
    with attempts.trying(a_spec(2), 7):
        pass
    with pytest.raises(ValueError, match="broken"), attempts.trying(a_spec(2), 7):
        raise ValueError("broken")
    assert attempts.count_crashes(a_spec(2), 7) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_load_that_goes_on_is_no_crash(tmp_path):
    attempts = Attempts(tmp_path)
    with attempts.trying(a_spec(2), 7):
        assert attempts.count_crashes(a_spec(2), 7) == 0


def test_after_two_crashes_a_version_is_not_tried_until_its_routes_change(tmp_path):
    attempts = Attempts(tmp_path)
    crash(tmp_path)
    assert attempts.count_crashes(a_spec(2), 7) == 1
    assert attempts.count_crashes(a_spec(1), 7) == 0
    crash(tmp_path)
    preparer = Preparer(lambda spec: a_predictor(spec), attempts=attempts, tries_out=False)
    track = Track(a_spec(2), lambda: 0.0)
    with pytest.raises(CannotServe):
        preparer.prepare(track, 7)
    assert track.reason.startswith("crash_suspect: the server ended 2 times")
    track.move(SwapState.REGISTERED)
    assert preparer.prepare(track, 8).spec.number == 2
    assert attempts.count_crashes(a_spec(2), 7) == 0
