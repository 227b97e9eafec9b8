"""The tables of architectures in docs/reference/tasks.md hold: each cell is tried."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTextEncoding,
    AutoModelForTokenClassification,
)

from inference.runtimes.generating.loading import load_generator
from inference.tasks.inputs import Question
from inference.tasks.ports import Encoded, flatten
from tests.inference.architectures import SIZES
from tests.inference.generation.conftest import CPU
from tests.inference.loaded import load
from tests.inference.tiny import CORPUS, save_tiny
from tests.inference.tiny_generators import CAUSAL, SEQ2SEQ, save_generator

PAGE = Path("docs/reference/tasks.md").read_text(encoding="utf-8")
HEADS: dict[str, Any] = {
    "text-classification": AutoModelForSequenceClassification,
    "token-classification": AutoModelForTokenClassification,
    "question-answering": AutoModelForQuestionAnswering,
    "fill-mask": AutoModelForMaskedLM,
    "feature-extraction": AutoModel,
}
TEXTS = [CORPUS[0], "short", "a wooden story " * 9]
LABELS = ("O", "PER")


def tables() -> list[list[list[str]]]:
    section = PAGE.split("## Architectures\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    return [[_cells(line) for line in block.splitlines()[2:]] for block in blocks]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def cells() -> Iterator[Any]:
    for first, *outcomes in tables()[0]:
        for task, outcome in zip(HEADS, outcomes, strict=True):
            for name in names(first):
                yield pytest.param(name, task, outcome, id=f"{name}-{task}")


def writers() -> Iterator[Any]:
    for table in tables()[1:]:
        for first, outcome, why in table:
            for name in names(first):
                yield pytest.param(name, outcome, why, id=name)


@pytest.mark.parametrize(("architecture", "task", "outcome"), list(cells()))
def test_texts_that_share_a_batch_are_answered_as_alone(
    tmp_path: Path, architecture: str, task: str, outcome: str
) -> None:
    auto = HEADS[task]
    if outcome == "–":
        assert type(AutoConfig.for_model(architecture)) not in auto._model_mapping
        return
    save_tiny(tmp_path, architecture, labels=LABELS, auto=auto)
    if outcome == "refused":
        with pytest.raises(ValueError, match="block-sparse"):
            load(tmp_path, task, LABELS)
        return
    assert outcome == "served"
    predictor = load(tmp_path, task, LABELS)
    prepared = predictor.task.encode(_inputs(task), predictor.task.defaults, short=True)
    pieces = flatten(prepared)
    assert len({piece.n_tokens for piece in pieces}) > 1
    halves = {"t5", "mt5"} if task == "feature-extraction" else set()
    auto = AutoModelForTextEncoding if architecture in halves else auto
    model = auto.from_pretrained(tmp_path).eval()
    has_types = predictor.task.form.has_types  # type: ignore[attr-defined]
    for piece, got in zip(pieces, predictor.forward(pieces), strict=True):
        want = theirs(model, task, piece, has_types=has_types)
        np.testing.assert_allclose(got.logits, want, atol=2e-5 * max(1, np.abs(want).max()))


def _inputs(task: str) -> list[Any]:
    if task == "question-answering":
        return [Question("What is it?", text) for text in TEXTS]
    return [f"[MASK] {text}" for text in TEXTS] if task == "fill-mask" else TEXTS


@torch.inference_mode()
def theirs(model: Any, task: str, piece: Encoded, *, has_types: bool) -> Any:
    """What transformers gives for one text alone, as `Forwarded.logits`."""
    ids = torch.tensor([piece.ids])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if has_types:
        inputs["token_type_ids"] = torch.tensor([piece.type_ids])
    output = model(**inputs)
    if task == "question-answering":
        return torch.stack((output.start_logits, output.end_logits), dim=-1)[0].numpy()
    if task == "feature-extraction":
        states = output.last_hidden_state[0]
        return torch.stack((states[0], states.mean(dim=0), states.amax(dim=0), states[-1])).numpy()
    logits = output.logits[0].numpy()
    return logits[list(piece.places)] if task == "fill-mask" else logits


@pytest.mark.parametrize(("architecture", "outcome", "why"), list(writers()))
def test_what_cannot_write_here_is_refused_when_it_is_loaded(
    tmp_path: Path, architecture: str, outcome: str, why: str
) -> None:
    if outcome == "served":
        # That they write what `generate` writes is in generation/test_parity.py.
        assert architecture in {*CAUSAL, *SEQ2SEQ}
        return
    assert (outcome, bool(why)) == ("refused", True)
    save_generator(tmp_path, architecture)
    with pytest.raises(ValueError, match=r"cannot (be served|share)"):
        load_generator(tmp_path, CPU)


def test_the_page_names_every_architecture_that_is_tried() -> None:
    shown = {name for table in tables() for first, *_ in table for name in names(first)}
    assert shown == set(SIZES)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "opt"])
@pytest.mark.parametrize(
    ("form", "side"),
    [
        ({"pad_token_id": None}, "right"),
        ({"pad_token_id": -1}, "left"),
        ({"pad_token_id": 7}, "right"),
        ({}, "left"),
    ],
    ids=str,
)
def test_a_causal_classifier_finds_each_texts_end(
    tmp_path: Path, architecture: str, form: dict[str, Any], side: str
) -> None:
    save_tiny(tmp_path, architecture, labels=LABELS, **form)
    if side == "left":
        file = tmp_path / "tokenizer_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "padding_side": side}))
    predictor = load(tmp_path, "text-classification", LABELS)
    pieces = flatten(predictor.task.encode(TEXTS, predictor.task.defaults, short=True))
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    for piece, got in zip(pieces, predictor.forward(pieces), strict=True):
        want = theirs(model, "text-classification", piece, has_types=False)
        np.testing.assert_allclose(got.logits, want, atol=1e-5)


def test_a_tokenizer_in_python_is_refused(tmp_path: Path) -> None:
    save_tiny(tmp_path, "roberta", labels=LABELS)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.txt").write_text("the 10\nfilm 9\n")
    (tmp_path / "bpe.codes").write_text("t h 10\nth e</w> 9\n")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PhobertTokenizer"}')
    with pytest.raises(ValueError, match=r"PhobertTokenizer.*tokenizer\.json"):
        load(tmp_path, "text-classification", LABELS)
