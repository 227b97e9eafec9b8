"""Timing the stages."""

from pathlib import Path

from starter.stopwatch import Stopwatch


def test_stages_are_recorded_in_order() -> None:
    watch = Stopwatch()
    for name in ("read", "train"):
        with watch.stage(name):
            pass

    assert list(watch.seconds) == ["read", "train"]
    assert all(0 <= seconds < 5 for seconds in watch.seconds.values())


def test_a_stage_taken_from_an_earlier_run_counts_as_it_did_then(tmp_path: Path) -> None:
    first, second = Stopwatch({"train": 830.0}), Stopwatch({"train": 0.2})

    first.remember(tmp_path / "teacher.json", "train")
    second.remember(tmp_path / "teacher.json", "train")

    assert second.seconds == {"train": 830.0}
