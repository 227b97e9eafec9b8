"""Classifiers that were saved without a tokenizer.json: their tokenizer is a SentencePiece file."""

from pathlib import Path

import pytest
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)

from tests.inference.architectures import SIZES
from tests.inference.loaded import ask, load
from tests.inference.tiny import CORPUS
from tests.inference.tiny_sentencepiece import save_files

TEXTS = [CORPUS[0], "short", CORPUS[3]]


def save_classifier(directory: Path, form: str) -> Path:
    """Save a tiny model with a head of random weights beside the tokenizer's own file."""
    save_files(directory, form)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    sizes = {**SIZES[form], "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(form, **sizes))
    model.eval().save_pretrained(directory)
    assert not (directory / "tokenizer.json").exists()
    return directory


@pytest.mark.parametrize("form", ["xlm-roberta", "camembert", "albert", "xlnet", "deberta-v2"])
def test_answers_are_those_of_the_pipeline(tmp_path: Path, form: str) -> None:
    view = save_classifier(tmp_path, form)
    own = pipeline("text-classification", str(view), top_k=None)
    predictor = load(view, "text-classification", labels=("LABEL_0", "LABEL_1"))
    found = ask(predictor, TEXTS)
    for text, decoded in zip(TEXTS, found, strict=True):
        (wanted,) = own([text])
        assert decoded.scores == pytest.approx(
            {each["label"]: each["score"] for each in wanted}, abs=1e-5
        )
