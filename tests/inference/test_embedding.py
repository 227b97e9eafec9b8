"""Embeddings are the model's last hidden states, reduced as sentence-transformers reduces them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from inference.errors import InvalidRequest, TextTooLong
from inference.tasks.embedding import EmbeddingParameters
from inference.tasks.inputs import Comparison
from registry.specs import Pooling
from tests.inference.loaded import ask, load
from tests.inference.tiny import CORPUS, save_tiny

ARCHITECTURES = ("bert", "roberta", "mpnet", "deberta-v2")
TEXTS = [*CORPUS, "x", "Ünïcödé 🎉", "שלום עולם", "words " * 200]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp(request.param), request.param, auto=AutoModel)


def states(view: Path) -> list[Any]:
    """The library's own last hidden states of each text: [tokens, hidden]."""
    tokenizer, model = AutoTokenizer.from_pretrained(view), AutoModel.from_pretrained(view)
    with torch.inference_mode():
        return [
            model(**tokenizer(text, truncation=True, return_tensors="pt"))
            .last_hidden_state[0]
            .numpy()
            for text in TEXTS
        ]


REDUCED: dict[Any, Any] = {
    "cls": lambda rows: rows[0],
    "mean": lambda rows: rows.mean(axis=0),
    "max": lambda rows: rows.max(axis=0),
    "last": lambda rows: rows[-1],
}


@pytest.mark.parametrize("batch", [1, 4])
def test_vectors_equal_the_models_own_states_batched_or_not(view: Path, batch: int) -> None:
    predictor, rows = load(view, "feature-extraction"), states(view)
    for pooling, reduced in REDUCED.items():
        parameters = EmbeddingParameters(pooling=pooling)
        ours = ask(predictor, TEXTS, parameters, batch=batch)
        for our, own in zip(ours, rows, strict=True):
            np.testing.assert_allclose(our.fields["embedding"], reduced(own), atol=1e-5)


@pytest.mark.parametrize("pooling", list(Pooling))
def test_the_versions_own_pooling_holds_where_nothing_is_asked(
    tmp_path: Path, pooling: Pooling
) -> None:
    view = save_tiny(tmp_path, auto=AutoModel)
    (asked,) = ask(
        load(view, "feature-extraction"), ["a dog"], EmbeddingParameters(pooling=pooling.value)
    )
    (own,) = ask(load(view, "feature-extraction", pooling=pooling), ["a dog"])
    assert own.fields == asked.fields


def test_a_module_that_would_change_the_vector_is_refused(tmp_path: Path) -> None:
    view = save_tiny(tmp_path, auto=AutoModel)
    modules = [{"type": f"sentence_transformers.models.{name}"} for name in ("Pooling", "Dense")]
    (view / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ValueError, match="Dense"):
        load(view, "feature-extraction")


def test_a_normalised_vector_has_the_length_one(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, auto=AutoModel), "feature-extraction")
    plain, unit = (
        np.array(
            ask(predictor, ["a dog"], EmbeddingParameters(normalize=each))[0].fields["embedding"]
        )
        for each in (False, True)
    )
    assert np.linalg.norm(unit) == pytest.approx(1)
    np.testing.assert_allclose(unit, plain / np.linalg.norm(plain), atol=1e-6)


def test_what_sentence_transformers_keeps_beside_a_model_holds(tmp_path: Path) -> None:
    view = save_tiny(tmp_path, auto=AutoModel)
    kinds = [{"type": f"sentence_transformers.models.{name}"} for name in ("Pooling", "Normalize")]
    (view / "modules.json").write_text(json.dumps(kinds))
    (view / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 7}))
    (view / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "two brothers "}})
    )
    predictor = load(view, "feature-extraction")
    (plain,) = ask(predictor, ["two brothers dog"])
    (prompted,) = ask(predictor, ["dog"], EmbeddingParameters(prompt_name="query"))
    assert prompted.fields == plain.fields
    assert np.linalg.norm(plain.fields["embedding"]) == pytest.approx(1)
    (prepared,) = predictor.task.encode(["word " * 20], predictor.task.defaults, short=True)
    assert (prepared.n_tokens, prepared.truncated) == (7, True)


def test_similarities_are_cosines_of_the_embeddings(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, auto=AutoModel), "sentence-similarity")
    source, *others = (np.array(each.fields["embedding"]) for each in ask(predictor, CORPUS))
    (found,) = ask(predictor, [Comparison(CORPUS[0], tuple(CORPUS[1:]))])
    expected = [source @ other / np.linalg.norm(source) / np.linalg.norm(other) for other in others]
    assert found.fields["similarities"] == pytest.approx(expected, abs=1e-6)


def test_the_first_dimensions_are_kept_and_normalised_again(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, auto=AutoModel), "feature-extraction")
    (whole,) = ask(predictor, ["a dog"])
    (first,) = ask(predictor, ["a dog"], EmbeddingParameters(dimensions=8, normalize=True))
    expected = np.array(whole.fields["embedding"][:8])
    np.testing.assert_allclose(
        first.fields["embedding"], expected / np.linalg.norm(expected), atol=1e-6
    )


def test_more_dimensions_than_there_are_is_refused(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, auto=AutoModel), "feature-extraction")
    with pytest.raises(InvalidRequest, match="the model gives 32"):
        ask(predictor, ["a dog"], EmbeddingParameters(dimensions=33))


def test_a_text_that_may_not_be_cut_is_refused(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, auto=AutoModel), "feature-extraction")
    with pytest.raises(TextTooLong) as refused:
        ask(predictor, ["short", "word " * 99], EmbeddingParameters(truncate=False))
    assert refused.value.details["index"] == 1


@pytest.mark.parametrize("n", [0, 257])
def test_a_comparison_holds_some_sentences_and_not_too_many(tmp_path: Path, n: int) -> None:
    predictor = load(save_tiny(tmp_path, auto=AutoModel), "sentence-similarity")
    with pytest.raises(InvalidRequest, match="1 to 256"):
        ask(predictor, [Comparison("one", ("two",) * n)])


def test_an_unknown_prompt_names_those_there_are(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, auto=AutoModel), "feature-extraction")
    with pytest.raises(InvalidRequest, match="a prompt of the version: none"):
        ask(predictor, ["one"], EmbeddingParameters(prompt_name="query"))
