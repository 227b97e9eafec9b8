"""A tiny real model of every task, as the server loads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from inference.predictor import Predictor
from tests.inference.golden.seeded import save_seeded
from tests.inference.loaded import load
from tests.inference.tiny import save_tiny
from tests.inference.tiny_generators import CHAT_TEMPLATE, save_generator
from tests.inference.windowed import TAGS

NLI = ("contradiction", "neutral", "entailment")


def make_models(folder: Path, names: Mapping[str, str]) -> list[Predictor]:
    """One predictor for each of `names`, which map what it does to what it is called."""
    return [_MAKERS[role](folder / role, name) for role, name in names.items()]


def _tiny(auto: Any, task: str, labels: tuple[str, ...] = ()) -> Any:
    def make(view: Path, name: str) -> Predictor:
        named = {"labels": labels} if labels else {}
        return load(save_tiny(view, auto=auto, **named), task, labels, model=name)

    return make


def _seeded(auto: Any, task: str, labels: tuple[str, ...] = ()) -> Any:
    def make(view: Path, name: str) -> Predictor:
        named: dict[str, Any] = {"id2label": dict(enumerate(labels))} if labels else {}
        return load(save_seeded(view, "bert", auto, **named), task, labels, model=name)

    return make


def _written(family: str, task: str) -> Any:
    def make(view: Path, name: str) -> Predictor:
        saved = save_generator(view, family, chat_template=CHAT_TEMPLATE)
        return load(saved, task, model=name)

    return make


_MAKERS: dict[str, Any] = {
    "embedder": _tiny(AutoModel, "feature-extraction"),
    "similar": _tiny(AutoModel, "sentence-similarity"),
    "ranker": _tiny(AutoModelForSequenceClassification, "zero-shot-classification", NLI),
    "filler": _tiny(AutoModelForMaskedLM, "fill-mask"),
    "tagger": _seeded(AutoModelForTokenClassification, "token-classification", TAGS),
    "reader": _seeded(AutoModelForQuestionAnswering, "question-answering"),
    "writer": _written("gpt2", "text-generation"),
    "rewriter": _written("t5", "text2text-generation"),
    "summarizer": _written("bart", "summarization"),
    "translator": _written("marian", "translation"),
}
