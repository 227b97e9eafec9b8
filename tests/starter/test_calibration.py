"""Temperature scaling and the measures that judge it."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from starter.calibration import (
    assess,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    fold_temperature,
    log_loss,
)
from starter.measure import Floats, Integers, softmax


def draw(sharpness: float, rows: int = 20_000) -> tuple[Floats, Integers]:
    """Labels drawn from honest probabilities, and logits that are too sharp by a factor."""
    rng = np.random.default_rng(5)
    honest = rng.normal(size=(rows, 2))
    labels = (rng.random(rows) < softmax(honest)[:, 1]).astype(np.int64)
    return honest * sharpness, labels


def test_softmax_survives_large_logits() -> None:
    assert softmax(np.array([[1000.0, 1000.0]])).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_known_sharpness(sharpness: float) -> None:
    assert fit_temperature(*draw(sharpness)) == pytest.approx(sharpness, rel=0.05)


def test_the_temperature_lowers_every_measure_of_an_overconfident_model() -> None:
    logits, labels = draw(3.0)

    before, after = assess(logits, labels), assess(logits / 3.0, labels)

    assert after.ece < before.ece / 5
    assert after.brier < before.brier
    assert after.log_loss < before.log_loss


def test_a_folded_temperature_divides_the_logits() -> None:
    shape = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertForSequenceClassification(BertConfig(vocab_size=9, num_hidden_layers=1, **shape))
    model.train(False)
    ids = torch.tensor([[1, 2, 3]])
    before = model(input_ids=ids).logits.detach()

    fold_temperature(model, 2.5)

    assert torch.allclose(model(input_ids=ids).logits, before / 2.5, atol=1e-7)


def test_ece_is_zero_when_confidence_equals_accuracy() -> None:
    confidence = np.full(4, 0.75)

    assert expected_calibration_error(confidence, np.array([1, 1, 0, 1]), bins=1) == 0.0


def test_ece_is_the_gap_weighted_by_rows() -> None:
    confidence = np.array([0.6, 0.6, 0.9, 0.9])
    correct = np.array([0, 1, 1, 1])

    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.1)


def test_ece_takes_fewer_rows_than_bins() -> None:
    assert expected_calibration_error(np.array([0.9]), np.array([1])) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("row", "score"), [([1.0, 0.0], 0.0), ([0.5, 0.5], 0.5), ([0.0, 1.0], 2.0)]
)
def test_brier_runs_from_zero_to_two(row: list[float], score: float) -> None:
    assert brier_score(np.array([row]), np.array([0])) == score


def test_log_loss_of_an_impossible_label_is_finite() -> None:
    assert 700 < log_loss(np.array([[1.0, 0.0]]), np.array([1])) < 710


def test_rounding_keeps_the_names() -> None:
    assert assess(np.array([[0.0, 0.0]]), np.array([0])).rounded() == {
        "ece": 0.5,
        "brier": 0.5,
        "log_loss": 0.6931,
    }
