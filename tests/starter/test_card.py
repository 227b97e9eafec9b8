"""Filling the model card."""

from pathlib import Path
from typing import Any

import pytest

from starter.card import CARD_FILE, list_files, write_card

ROW = {"accuracy": 0.9, "ece": 0.01, "brier": 0.15, "log_loss": 0.25}
METRICS: dict[str, Any] = {
    "dev": {"n": 872, "forms": {"original": ROW, "as_written": ROW}, "before_temperature": ROW},
    "held_out": {"n": 1000, "accuracy": 0.87, "macro_f1": 0.86},
    "teacher_dev_accuracy": 0.91,
    "temperature": 1.5,
    "training": {"phrases": 50000, "phrases_dropped": 9000, "pieces": 10240},
    "seconds": {"read": 60.0, "train": 540.0},
}


def test_the_card_holds_the_measured_numbers(tmp_path: Path) -> None:
    write_card(tmp_path, METRICS)

    card = (tmp_path / CARD_FILE).read_text(encoding="utf-8")
    assert "| accuracy | 0.9000 | 0.9000 |" in card
    assert "took\n10 minutes" in card
    assert "$" not in card


def test_a_number_that_was_not_measured_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_card(tmp_path, {**METRICS, "dev": {**METRICS["dev"], "forms": {"original": ROW}}})


def test_the_card_does_not_list_itself(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text("old", encoding="utf-8")
    (tmp_path / "weights").write_bytes(b"x" * 1234)

    assert list_files(tmp_path).splitlines()[2:] == ["| `weights` | 1,234 |"]
