"""The shipped reference can be made again from the shipped weights."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from starter.corpus import DATA_VARIABLE
from starter.evaluate import MODEL_FOLDER
from starter.reference import ARRAYS_FILE, JSON_FILE
from starter.reference_rows import agree, rewrite


def test_values_agree_when_they_differ_by_rounding_only() -> None:
    assert agree({"a": [0.1, 2, "x"]}, {"a": [0.1 + 1e-8, 2, "x"]})
    assert not agree({"a": [0.1]}, {"a": [0.1002]})
    assert not agree({"a": 1}, {"b": 1})
    assert not agree([1, 2], [1])
    assert not agree([1], [2])


@pytest.mark.slow
def test_the_shipped_weights_give_the_shipped_reference(tmp_path: Path) -> None:
    if not (data := os.environ.get(DATA_VARIABLE)):
        pytest.skip(f"{DATA_VARIABLE} is not set, so there are no held-out sentences")
    folder = tmp_path / "model"
    shutil.copytree(MODEL_FOLDER, folder)

    assert rewrite(Path(data), folder) == []

    assert (folder / JSON_FILE).read_bytes() == (MODEL_FOLDER / JSON_FILE).read_bytes()
    ours, theirs = load_file(folder / ARRAYS_FILE), load_file(MODEL_FOLDER / ARRAYS_FILE)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        tolerance = 2e-3 if array.dtype == np.float16 else 1e-4
        assert array == pytest.approx(theirs[name], abs=tolerance), name
