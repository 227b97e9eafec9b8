"""Measures a model folder on SST-2 dev and prints JSON.

python -m starter.evaluate --data DIR --model starter/model
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from transformers import BertForSequenceClassification

from starter.calibration import assess
from starter.corpus import DEV, Example, as_written, load_examples, resolve_data_folder
from starter.files import load_model
from starter.measure import Answers, Integers, accuracy, answer, encode
from starter.vocabulary import UNKNOWN, special_id

MODEL_FOLDER = Path(__file__).parent / "model"
# The same rows twice: as the treebank has them, and as a person would type them.
FORMS: dict[str, Callable[[str], str]] = {"original": str, "as_written": as_written}


def labels_of(examples: Sequence[Example]) -> Integers:
    """Return the labels as an array [n]."""
    return np.array([example.label for example in examples], dtype=np.int64)


def answer_texts(
    model: BertForSequenceClassification, tokenizer: Tokenizer, texts: Sequence[str]
) -> Answers:
    """Tokenise and classify texts in float32."""
    return answer(model, encode(tokenizer, texts), special_id(tokenizer, UNKNOWN))


def measure_forms(
    model: BertForSequenceClassification, tokenizer: Tokenizer, examples: Sequence[Example]
) -> dict[str, dict[str, float]]:
    """Return accuracy and calibration for each written form of the examples."""
    labels = labels_of(examples)
    table: dict[str, dict[str, float]] = {}
    for name, rewrite in FORMS.items():
        texts = [rewrite(example.text) for example in examples]
        logits = answer_texts(model, tokenizer, texts).logits
        scores = assess(logits, labels).rounded()
        table[name] = {"accuracy": round(accuracy(logits, labels), 4), **scores}
    return table


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a model folder on SST-2 dev.")
    parser.add_argument("--data", type=Path, help="folder that holds sst2/")
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER)
    return parser.parse_args()


def main() -> None:
    """Print accuracy and calibration of the model folder as JSON."""
    options = _parse()
    dev = load_examples(resolve_data_folder(options.data) / DEV)
    result: dict[str, Any] = {"n": len(dev), **measure_forms(*load_model(options.model), dev)}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
