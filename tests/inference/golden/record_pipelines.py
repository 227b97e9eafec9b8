"""Records what transformers 4.57's pipelines answer, the last version that has them all.

    python -m venv golden
    golden/bin/pip install torch==2.13.0
    golden/bin/pip install 'transformers==4.57.*'
    golden/bin/python -m tests.inference.golden.record_pipelines

The models are built from numpy (tests/inference/tiny_generators.py), so today's transformers builds
the same ones, and tests compare text by text. One recorder a file: add a function to `RECORDERS`.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import transformers
from transformers import pipeline

from tests.inference.tiny_generators import save_generator

HERE = Path(__file__).parent
TEXTS = [
    "The bellwether leads the flock and shows where it is heading.",
    "A model that makes text reads what it has made and goes on from there.",
    "x",
    "Привет, мир! Как дела?",
    "🐑🐏 emoji 👨‍👩‍👧",
    "שלום עולם",
    "Nobody knows how the weather will be tomorrow; everybody talks about it today. " * 2,
    "Numbers 0 1 2 3 4 5 6 7 8 9",
    "日本語のテキスト",
    "  spaces   around  ",
    "Line one.\nLine two.\n\nA paragraph.",
    "CAPITALS and lower, punctuation?!",
]
PREFIX = {
    "summarization": {"prefix": "summarize: ", "max_length": 40, "min_length": 4, "num_beams": 2},
    "translation_en_to_de": {"prefix": "translate English to German: ", "max_length": 30},
}
# What a model's directory says besides its weights. Where it names beams it names four: the
# pipelines' own four win over it, against what their comment says, and over none.
MODELS: dict[str, dict[str, Any]] = {
    "t5": {"family": "t5"},
    "t5-with-tasks": {"family": "t5", "seed": 1, "task_specific_params": PREFIX},
    "bart": {
        "family": "bart",
        "generation": {"no_repeat_ngram_size": 3, "num_beams": 4, "length_penalty": 2.0},
    },
    "marian": {"family": "marian", "generation": {"bad_words_ids": [[1]], "num_beams": 4}},
    "pegasus": {"family": "pegasus", "generation": {"max_length": 24, "num_beams": 4}},
}
# Model, task, parameters of the call.
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("t5", "text2text-generation", {"max_new_tokens": 16}),
    ("t5", "text2text-generation", {"max_new_tokens": 16, "num_beams": 1}),
    ("t5", "text2text-generation", {"max_new_tokens": 12, "num_beams": 3, "min_new_tokens": 12}),
    ("t5", "summarization", {"max_new_tokens": 12, "min_length": 8}),
    # Its own max_length is not tried: the pipeline's 256 new tokens win over it by mistake.
    ("t5-with-tasks", "summarization", {"max_new_tokens": 12}),
    ("t5-with-tasks", "translation_en_to_de", {"max_new_tokens": 12}),
    ("t5-with-tasks", "text2text-generation", {"max_new_tokens": 12, "num_beams": 1}),
    ("bart", "summarization", {"max_new_tokens": 20}),
    ("bart", "summarization", {"max_new_tokens": 20, "num_beams": 1, "repetition_penalty": 1.5}),
    ("bart", "summarization", {"max_new_tokens": 20, "min_new_tokens": 10, "early_stopping": True}),
    ("marian", "translation", {"max_new_tokens": 16}),
    ("marian", "translation", {"max_new_tokens": 16, "num_beams": 6}),
    ("marian", "translation", {"max_new_tokens": 16, "num_beams": 1, "no_repeat_ngram_size": 2}),
    ("pegasus", "summarization", {}),
    ("pegasus", "summarization", {"num_beams": 8}),
    ("pegasus", "text2text-generation", {"max_new_tokens": 10, "length_penalty": 0.5}),
]


def save_model(name: str, directory: Path) -> Path:
    """Save one of `MODELS`; equal weights whatever version of transformers does it."""
    return save_generator(directory, **MODELS[name])


def record_text2text() -> Iterator[dict[str, Any]]:
    for name, task, parameters in CASES:
        with tempfile.TemporaryDirectory() as folder:
            directory = str(save_model(name, Path(folder)))
            pipe = pipeline(task, model=directory, tokenizer=directory, device="cpu")
            answers = [pipe(text, **parameters) for text in TEXTS]
        yield {
            "model": name,
            "task": task,
            "parameters": parameters,
            "outputs": [next(iter(answer[0].values())) for answer in answers],
        }


RECORDERS: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {"text2text": record_text2text}


def main() -> None:
    for name, record in RECORDERS.items():
        content = {"transformers": transformers.__version__, "texts": TEXTS, "cases": [*record()]}
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
