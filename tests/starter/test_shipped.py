"""The model folder as it lies in the repository."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from starter.card import list_files
from starter.corpus import DATA_VARIABLE, DEV, load_examples
from starter.evaluate import MODEL_FOLDER, measure_forms
from starter.files import load_model
from starter.reference import ARRAYS_FILE, JSON_FILE, confusion_matrix, macro_f1
from starter.vocabulary import UNKNOWN, special_id

MEGABYTE = 1_000_000
FILES = {
    "README.md",
    "bellwether.json",
    "config.json",
    "metrics.json",
    "model.safetensors",
    "reference.json",
    "reference.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}
PLAIN = [
    ("I loved every minute of it.", "POSITIVE"),
    ("What a wonderful, funny film!", "POSITIVE"),
    ("I didn't like it. It wasn't funny!", "NEGATIVE"),
    ("This is not good.", "NEGATIVE"),
    ("A complete waste of time and money.", "NEGATIVE"),
    ("The staff were friendly and the room was beautiful.", "POSITIVE"),
    ("It broke after two days. Terrible quality!", "NEGATIVE"),
    ("Highly recommended.", "POSITIVE"),
]


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((MODEL_FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def test_the_folder_holds_these_files_and_no_others() -> None:
    assert {path.name for path in MODEL_FOLDER.iterdir()} == FILES


def test_the_folder_fits_in_24_megabytes_and_the_reference_in_one() -> None:
    sizes = {path.name: path.stat().st_size for path in MODEL_FOLDER.iterdir()}

    assert sum(sizes.values()) <= 24 * MEGABYTE
    assert sizes[JSON_FILE] + sizes[ARRAYS_FILE] < MEGABYTE


def test_weights_are_stored_in_half_and_computed_in_single_precision() -> None:
    with safe_open(MODEL_FOLDER / "model.safetensors", "pt") as weights:
        stored = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118

    assert stored == {"F16"}
    model = AutoModelForSequenceClassification.from_pretrained(MODEL_FOLDER)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_configuration_names_both_labels() -> None:
    config = read("config.json")

    assert config["id2label"] == {"0": "NEGATIVE", "1": "POSITIVE"}
    assert config["label2id"] == {"NEGATIVE": 0, "POSITIVE": 1}
    assert read("bellwether.json") == {"task": "text-classification", "pooling": "mean"}


@pytest.fixture(scope="module")
def classify() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # What transformers says while loading is not ours.
        return pipeline("text-classification", model=str(MODEL_FOLDER), device="cpu")


@pytest.mark.parametrize(("text", "label"), PLAIN)
def test_plain_sentences_get_the_expected_label(classify: Any, text: str, label: str) -> None:
    assert classify(text)[0]["label"] == label


def test_the_pipeline_and_our_loader_agree(classify: Any) -> None:
    from starter.evaluate import answer_texts
    from starter.measure import softmax

    texts = [text for text, _ in PLAIN]
    ours = softmax(answer_texts(*load_model(MODEL_FOLDER), texts).logits).max(axis=1)

    assert [row["score"] for row in classify(texts)] == pytest.approx(ours.tolist(), abs=1e-4)


@pytest.mark.parametrize("text", ["I didn't!", "naïve café 北京 – 100 % «so»", "", "unwatchably"])
def test_both_tokenizers_give_the_same_ids(text: str) -> None:
    _, ours = load_model(MODEL_FOLDER)

    assert AutoTokenizer.from_pretrained(MODEL_FOLDER)(text)["input_ids"] == ours.encode(text).ids


def test_ordinary_words_are_never_unknown() -> None:
    _, tokenizer = load_model(MODEL_FOLDER)

    ids = tokenizer.encode("Supercalifragilistic quizzaciously zyxt! naïve €5 #wow @you").ids

    assert special_id(tokenizer, UNKNOWN) not in ids


def test_the_reference_is_whole() -> None:
    reference, arrays = read(JSON_FILE), load_file(MODEL_FOLDER / ARRAYS_FILE)
    counts = np.array(reference["quality"]["confusion_matrix"]["counts"])

    assert (reference["schema_version"], reference["pooling"]) == (2, "mean")
    assert counts.sum() == reference["n"]
    assert counts.sum(axis=0).tolist() == list(reference["predicted_counts"].values())
    assert {sum(h["counts"]) for h in reference["histograms"].values()} == {reference["n"]}
    assert arrays["embedding_mean"].shape == (384,)


def test_the_rows_of_the_reference_say_what_people_read_in_it() -> None:
    reference, arrays = read(JSON_FILE), load_file(MODEL_FOLDER / ARRAYS_FILE)
    n, predicted = reference["n"], arrays["row_probabilities"].argmax(axis=1)

    matrix = confusion_matrix(arrays["row_labels"].astype(np.int64), predicted, 2)
    assert matrix.tolist() == reference["quality"]["confusion_matrix"]["counts"]
    assert round(macro_f1(matrix), 6) == reference["quality"]["macro_f1"]
    assert arrays["row_embeddings"].shape == (n, 384)
    means = arrays["row_embeddings"].astype(float).mean(axis=0)
    assert means == pytest.approx(arrays["embedding_mean"], abs=1e-4)
    lengths = reference["histograms"]["log_token_length"]
    counts, _ = np.histogram(np.log(arrays["row_tokens"]), bins=lengths["edges"])
    assert counts.tolist() == lengths["counts"]


def test_the_card_tells_the_measured_numbers_and_sizes() -> None:
    card = (MODEL_FOLDER / "README.md").read_text(encoding="utf-8")
    forms = read("metrics.json")["dev"]["forms"]

    assert card.startswith("---\n")
    assert f"{forms['original']['accuracy']:.4f} | {forms['as_written']['accuracy']:.4f}" in card
    assert list_files(MODEL_FOLDER) in card


@pytest.mark.slow
def test_dev_accuracy_is_the_stated_one_and_at_least_0_88() -> None:
    if not (folder := os.environ.get(DATA_VARIABLE)):
        pytest.skip(f"{DATA_VARIABLE} is not set, so there is no SST-2 dev set to measure on")
    dev = load_examples(Path(folder) / DEV)

    measured = measure_forms(*load_model(MODEL_FOLDER), dev)

    stated = read("metrics.json")["dev"]["forms"]
    assert min(row["accuracy"] for row in measured.values()) >= 0.88
    for form, row in measured.items():
        # One row of 872 may fall the other way where sums are taken in another order.
        assert row["accuracy"] == pytest.approx(stated[form]["accuracy"], abs=0.0012)
        assert row["ece"] == pytest.approx(stated[form]["ece"], abs=0.005)
