"""Small model directories for tests: real safetensors and configuration, no torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

LABELS = ("NEGATIVE", "POSITIVE")
TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "WordLevel",
        "vocab": {"[UNK]": 0, "good": 1, "bad": 2},
        "unk_token": "[UNK]",
    },
}


def build_config(labels: tuple[str, ...] = LABELS, **changes: Any) -> dict[str, Any]:
    """A `config.json` of a sequence classifier; `changes` replace keys, None removes one."""
    config: dict[str, Any] = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "id2label": {str(n): label for n, label in enumerate(labels)},
        "label2id": {label: n for n, label in enumerate(labels)},
    } | changes
    return {key: value for key, value in config.items() if value is not None}


def build_model_dir(
    root: Path,
    *,
    seed: int = 0,
    labels: tuple[str, ...] = LABELS,
    config: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a tiny valid model to `root` and return it.

    Another `seed` gives other weights, hence another digest. `files` adds or replaces files.
    """
    root.mkdir(parents=True, exist_ok=True)
    write_weights(root / "model.safetensors", seed=seed, n_labels=len(labels))
    write_json(root / "config.json", dict(config) if config else build_config(labels))
    write_json(root / "tokenizer.json", TOKENIZER)
    write_json(root / "tokenizer_config.json", {"model_max_length": 64})
    for path, content in (files or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def build_sharded_dir(root: Path) -> Path:
    """A model of two shards and their index."""
    build_model_dir(root)
    (root / "model.safetensors").unlink()
    shards = {f"model-0000{n}-of-00002.safetensors": f"layer{n}.weight" for n in (1, 2)}
    for name, tensor in shards.items():
        save_file({tensor: np.ones((2, 2), np.float32)}, root / name)
    index = {"metadata": {}, "weight_map": {tensor: name for name, tensor in shards.items()}}
    write_json(root / "model.safetensors.index.json", index)
    return root


def write_weights(path: Path, *, seed: int = 0, n_labels: int = 2) -> None:
    random = np.random.default_rng(seed)
    weight = random.normal(size=(n_labels, 4)).astype(np.float32)
    save_file(
        {"classifier.weight": weight, "classifier.bias": np.zeros(n_labels, np.float32)}, path
    )


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
