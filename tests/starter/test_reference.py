"""Statistics of the rows that live traffic is compared with."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from starter.measure import Answers
from starter.reference import (
    ARRAYS_FILE,
    JSON_FILE,
    confusion_matrix,
    equal_mass_histogram,
    macro_f1,
    probability_sums,
    score_quantities,
    write_reference,
)

NAMES = ("NEGATIVE", "POSITIVE")


def some_answers(rows: int = 50) -> Answers:
    rng = np.random.default_rng(2)
    return Answers(
        logits=rng.normal(size=(rows, 2)),
        features=np.zeros((rows, 4)),
        embeddings=rng.normal(size=(rows, 4)),
        lengths=rng.integers(3, 40, size=rows),
        unknown=np.zeros(rows, dtype=np.int64),
    )


def test_the_confusion_matrix_has_actual_rows_and_predicted_columns() -> None:
    matrix = confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)

    assert matrix.tolist() == [[1, 1], [0, 1]]


def test_macro_f1_averages_classes_and_counts_an_absent_one_as_zero() -> None:
    assert macro_f1(np.array([[1, 1], [0, 1]])) == pytest.approx(2 / 3)
    assert macro_f1(np.array([[4, 0], [0, 0]])) == 0.5


def test_bins_of_a_continuous_quantity_hold_equal_mass() -> None:
    histogram = equal_mass_histogram(np.arange(100.0), bins=4)

    assert histogram["counts"] == [25, 25, 25, 25]
    assert (histogram["edges"][0], histogram["edges"][-1]) == (0.0, 99.0)


def test_coinciding_edges_are_merged_and_no_row_is_lost() -> None:
    histogram = equal_mass_histogram(np.array([0.0] * 96 + [1.0] * 4))

    assert histogram == {"edges": [0.0, 1.0], "counts": [100]}


def test_a_constant_quantity_gets_one_bin_of_width_zero() -> None:
    assert equal_mass_histogram(np.zeros(7)) == {"edges": [0.0, 0.0], "counts": [7]}


def test_score_quantities_of_an_even_and_a_sure_answer() -> None:
    answers = Answers(
        logits=np.array([[0.0, 0.0], [0.0, 1000.0]]),
        features=np.zeros((2, 1)),
        embeddings=np.zeros((2, 1)),
        lengths=np.array([4, 10]),
        unknown=np.array([1, 0]),
    )

    found = {name: values.tolist() for name, values in score_quantities(answers).items()}

    assert found == {
        "max_probability": [0.5, 1.0],
        "entropy": [pytest.approx(np.log(2)), 0.0],
        "margin": [0.0, 1.0],
        "log_token_length": [pytest.approx(np.log(4)), pytest.approx(np.log(10))],
        "unknown_token_share": [0.25, 0.0],
    }


def test_probabilities_are_summed_by_predicted_class() -> None:
    sums = probability_sums(np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]))

    assert sums.tolist() == [[1.25, 0.75], [0.25, 0.75]]


def test_both_halves_are_written_and_agree(tmp_path: Path) -> None:
    answers, labels = some_answers(), np.zeros(50, dtype=np.int64)

    written = write_reference(tmp_path, answers, labels, NAMES, {"pooling": "mean"})

    assert json.loads((tmp_path / JSON_FILE).read_text(encoding="utf-8")) == written
    arrays = load_file(tmp_path / ARRAYS_FILE)
    assert {name: array.shape for name, array in arrays.items()} == {
        "embedding_mean": (4,),
        "embedding_quantiles": (21, 4),
        "probability_sums": (2, 2),
        "row_embeddings": (50, 4),
        "row_probabilities": (50, 2),
        "row_tokens": (50,),
        "row_unknown": (50,),
        "row_labels": (50,),
    }
    assert sum(written["predicted_counts"].values()) == written["n"] == 50
    assert arrays["probability_sums"].sum() == pytest.approx(50)


def test_rows_are_kept_small_and_in_order(tmp_path: Path) -> None:
    answers, labels = some_answers(), np.arange(50) % 2

    write_reference(tmp_path, answers, labels, NAMES, {})

    arrays = load_file(tmp_path / ARRAYS_FILE)
    assert arrays["row_embeddings"].dtype == np.float16
    assert arrays["row_embeddings"] == pytest.approx(answers.embeddings, rel=1e-3, abs=1e-4)
    assert arrays["row_labels"].tolist() == labels.tolist()
    assert arrays["row_tokens"].tolist() == answers.lengths.tolist()
    assert (arrays["row_probabilities"].argmax(1) == answers.logits.argmax(1)).all()
