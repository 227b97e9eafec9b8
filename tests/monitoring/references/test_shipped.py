"""Statistics among a version's files: believed only as far as they can be checked."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from monitoring.errors import InvalidReference
from monitoring.references import shipped
from monitoring.references.shipped import has_shipped, load_sample
from tests.monitoring.references.builders import LABELS, SIZE, N, write_files

STARTER = Path(__file__).resolve().parents[3] / "starter" / "model"


def test_only_both_files_together_are_a_shipped_reference(tmp_path: Path) -> None:
    assert not has_shipped(tmp_path)
    write_files(tmp_path)
    assert has_shipped(tmp_path)
    (tmp_path / "reference.json").unlink()
    assert not has_shipped(tmp_path)


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_files(tmp_path, facts={"script": "Latn"})
    arrays = load_file(tmp_path / "reference.safetensors")
    sample = load_sample(tmp_path, LABELS)
    assert sample.labels == LABELS
    assert (sample.probabilities == arrays["row_probabilities"]).all()
    assert (sample.predicted == arrays["row_probabilities"].argmax(axis=1)).all()
    assert (sample.actual == arrays["row_labels"]).all()
    assert (sample.embeddings == arrays["row_embeddings"].astype(np.float32)).all()
    assert (sample.n_tokens == arrays["row_tokens"]).all()
    assert set(sample.scripts) == {"Latn"}


def test_labels_that_are_not_sorted_are_sorted_with_all_that_counts_in_them(
    tmp_path: Path,
) -> None:
    order = ("POSITIVE", "NEGATIVE", "NEUTRAL")
    write_files(tmp_path, labels=order)
    arrays = load_file(tmp_path / "reference.safetensors")
    sample = load_sample(tmp_path, order)
    assert sample.labels == LABELS
    for i in range(N):
        assert sample.labels[sample.predicted[i]] == order[arrays["row_probabilities"][i].argmax()]
        truth = arrays["row_labels"][i]
        assert sample.actual[i] == (-1 if truth < 0 else LABELS.index(order[truth]))


def test_only_the_probabilities_are_needed(tmp_path: Path) -> None:
    absent = ("row_embeddings", "row_tokens", "row_unknown", "row_labels")
    write_files(tmp_path, **dict.fromkeys(absent))
    sample = load_sample(tmp_path, LABELS)
    assert sample.embeddings.shape == (N, 0)
    assert (sample.actual == -1).all()


def nan() -> np.ndarray:
    array = np.zeros((N, SIZE), np.float16)
    array[3, 2] = np.nan
    return array


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"row_probabilities": None}, "'row_probabilities' is missing"),
        ({"row_probabilities": np.zeros((N, 2), np.float32)}, "must have 3 columns"),
        ({"row_probabilities": np.zeros((N, 3), np.float64)}, "is F64, not F16 or F32"),
        ({"row_probabilities": np.full((N, 3), 1.5, np.float32)}, "outside of 0 to 1"),
        ({"row_probabilities": np.full((N, 3), np.nan, np.float32)}, "not finite"),
        ({"row_embeddings": nan()}, "not finite"),
        ({"row_embeddings": np.zeros((N - 1, SIZE), np.float16)}, "has the shape"),
        ({"row_embeddings": np.zeros(N, np.float16)}, "has the shape"),
        ({"row_embeddings": np.zeros((N, 0), np.float16)}, "has 0 columns"),
        ({"row_tokens": np.full(N, -1, np.int32)}, "cannot be counts of tokens"),
        ({"row_tokens": np.full(N, 2**40, np.int64)}, "cannot be counts of tokens"),
        ({"row_tokens": np.ones(N, np.float32)}, "is F32, not I32 or I64"),
        ({"row_unknown": np.full(N, 1000, np.int32)}, "more than there are tokens"),
        ({"row_labels": np.full(N, 3, np.int32)}, "-1 .unknown. or 0 to 2"),
        ({"row_labels": np.full(N, -2, np.int32)}, "-1 .unknown. or 0 to 2"),
    ],
)
def test_arrays_that_are_no_good_are_refused_by_name(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    write_files(tmp_path, **arrays)
    with pytest.raises(InvalidReference, match=message) as caught:
        load_sample(tmp_path, LABELS)
    assert caught.value.details["field"] == "reference.safetensors"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"schema_version": 1}, "'schema_version' is not 2"),
        ({"schema_version": "2"}, "'schema_version' is not 2"),
        ({"labels": ["A", "B", "C"]}, "not the version's labels"),
        ({"labels": "ABC"}, "not the version's labels"),
        ({"n": 199}, "'n' must be"),
        ({"n": True}, "'n' must be"),
        ({"n": "240"}, "'n' must be"),
        ({"n": 10**9}, "'n' must be"),
        ({"n": 500}, "has the shape"),
        ({"script": 3}, "'script' must be"),
        ({"script": "x" * 99}, "'script' must be"),
    ],
)
def test_facts_that_are_no_good_are_refused_by_name(
    tmp_path: Path, facts: dict[str, Any], message: str
) -> None:
    write_files(tmp_path, facts=facts)
    with pytest.raises(InvalidReference, match=message):
        load_sample(tmp_path, LABELS)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_facts_that_are_no_json_object_are_refused(tmp_path: Path, data: bytes) -> None:
    write_files(tmp_path)
    (tmp_path / "reference.json").write_bytes(data)
    with pytest.raises(InvalidReference, match=r"^reference\.json"):
        load_sample(tmp_path, LABELS)


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 100, b"\xff" * 100, (2**62).to_bytes(8, "little") + b"{}"]
)
def test_bytes_that_are_no_safetensors_are_refused(tmp_path: Path, data: bytes) -> None:
    write_files(tmp_path)
    (tmp_path / "reference.safetensors").write_bytes(data)
    with pytest.raises(InvalidReference, match="cannot be read as safetensors"):
        load_sample(tmp_path, LABELS)


def test_files_that_are_too_large_are_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    monkeypatch.setattr(shipped, "MOST_ARRAYS_BYTES", 100)
    with pytest.raises(InvalidReference, match="more than 100 bytes"):
        load_sample(tmp_path, LABELS)
    monkeypatch.setattr(shipped, "MOST_FACTS_BYTES", 10)
    with pytest.raises(InvalidReference, match="more than 10 bytes"):
        load_sample(tmp_path, LABELS)


def test_a_shipped_file_cut_anywhere_is_refused_or_read_never_a_crash(tmp_path: Path) -> None:
    write_files(tmp_path)
    whole = (tmp_path / "reference.safetensors").read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(60):
        data = bytearray(whole[: rng.integers(0, len(whole))] if rng.random() < 0.5 else whole)
        for place in rng.integers(0, min(len(data), 600), size=3) if data else ():
            data[place] = rng.integers(256)
        (tmp_path / "reference.safetensors").write_bytes(bytes(data))
        with suppress(InvalidReference):
            load_sample(tmp_path, LABELS)


def test_the_starters_files_say_what_its_card_says() -> None:
    facts = json.loads((STARTER / "reference.json").read_text())
    sample = load_sample(STARTER, tuple(facts["labels"]))
    counts = np.zeros((2, 2), int)
    np.add.at(counts, (sample.actual, sample.predicted), 1)
    assert counts.tolist() == facts["quality"]["confusion_matrix"]["counts"]
    assert len(sample) == facts["n"] == 1000
    assert sample.embeddings.shape == (1000, 384)
