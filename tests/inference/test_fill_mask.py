"""Filled masks are those of transformers' pipeline on the same directory."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForMaskedLM, pipeline

from inference.errors import InvalidRequest
from inference.tasks.fill_mask import FillMaskParameters
from tests.inference.loaded import ask, load
from tests.inference.tiny import save_tiny

ARCHITECTURES = ("bert", "distilbert", "roberta", "deberta-v2")
TEXTS = [
    "I did not expect to [MASK] this film.",
    "[MASK]",
    "the plot is [MASK] and the acting [MASK]",
    "Ünïcödé 🎉 [MASK] שלום",
    "a film " * 12 + "[MASK]",
]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp(request.param)
    return save_tiny(root, request.param, auto=AutoModelForMaskedLM)


def check(ours: list[Any], theirs: list[Any]) -> None:
    for our, their in zip(ours, theirs, strict=True):
        rows = their if isinstance(their[0], list) else [their]
        assert len(our.fields["fills"]) == len(rows)
        for shown, row in zip(our.fields["fills"], rows, strict=True):
            assert [each["token"] for each in shown] == [each["token"] for each in row]
            for one, other in zip(shown, row, strict=True):
                assert one["score"] == pytest.approx(other["score"], abs=1e-6)
                assert one["token_str"] == other["token_str"]
                assert one["sequence"] == other["sequence"]


@pytest.mark.parametrize("batch", [1, 5])
def test_fills_equal_the_pipeline_batched_or_not(view: Path, batch: int) -> None:
    fill = pipeline("fill-mask", model=str(view))
    theirs = [fill(text, top_k=7) for text in TEXTS]
    check(ask(load(view, "fill-mask"), TEXTS, FillMaskParameters(7), batch=batch), theirs)


@pytest.mark.parametrize("targets", [("film", "plot"), ("dog",), "two", ("filmish", "warm")])
def test_targets_are_weighed_alone(tmp_path: Path, targets: Any) -> None:
    view = save_tiny(tmp_path, "bert", auto=AutoModelForMaskedLM)
    asked = targets if isinstance(targets, str) else list(targets)
    fill = pipeline("fill-mask", model=str(view))
    theirs = [fill(text, targets=asked) for text in TEXTS]
    check(ask(load(view, "fill-mask"), TEXTS, FillMaskParameters(targets=targets)), theirs)


def test_a_text_without_a_mask_names_the_mask(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, "bert", auto=AutoModelForMaskedLM), "fill-mask")
    with pytest.raises(InvalidRequest, match=r"\[MASK\]") as refused:
        ask(predictor, ["a [MASK]", "nothing is missing"])
    assert refused.value.details["index"] == 1


def test_a_mask_that_was_cut_off_is_told(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, "bert", auto=AutoModelForMaskedLM), "fill-mask")
    with pytest.raises(InvalidRequest, match="in the tokens that the model reads"):
        ask(predictor, ["word " * 99 + "[MASK]"])


def test_more_masks_than_are_filled_at_once_are_refused(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, "bert", auto=AutoModelForMaskedLM), "fill-mask")
    with pytest.raises(InvalidRequest, match="33 masked places"):
        ask(predictor, ["[MASK] " * 33])


def test_a_model_that_cannot_mask_does_not_load(tmp_path: Path) -> None:
    view = save_tiny(tmp_path, "bert", auto=AutoModelForMaskedLM)
    path = view / "tokenizer_config.json"
    path.write_text(path.read_text().replace('"mask_token"', '"no_mask_token"'))
    with pytest.raises(ValueError, match="no mask token"):
        load(view, "fill-mask")
