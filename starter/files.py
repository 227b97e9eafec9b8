"""The model folder as it ships: half-precision weights, tokenizer, configuration."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import BertForSequenceClassification

from starter.models import TOKENIZER_FILE
from starter.vocabulary import SPECIAL

MAX_TOKENS = 512
WEIGHTS_FILE = "model.safetensors"


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an indented JSON file that ends in a newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def set_precision(model: nn.Module, dtype: torch.dtype) -> None:
    """Convert all weights, in place."""
    model.to(dtype)


def save_model(folder: Path, model: BertForSequenceClassification, tokenizer: Tokenizer) -> None:
    """Write weights in float16 and everything a loader needs to run them in float32."""
    set_precision(model, torch.float16)
    model.save_pretrained(folder)
    # The writer leaves its file to the owner alone; a service may run as someone else.
    (folder / WEIGHTS_FILE).chmod(0o644)
    _ask_for_float32(folder / "config.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    write_json(folder / "tokenizer_config.json", _tokenizer_config())
    write_json(folder / "bellwether.json", {"task": "text-classification", "pooling": "mean"})


def load_model(folder: Path) -> tuple[BertForSequenceClassification, Tokenizer]:
    """Return the shipped network in float32 and its tokenizer."""
    model = BertForSequenceClassification.from_pretrained(folder)
    if model.dtype != torch.float32:
        raise RuntimeError(f"{folder} loads in {model.dtype}; its config.json must say float32.")
    model.train(False)
    return model, Tokenizer.from_file(str(folder / TOKENIZER_FILE))


def _ask_for_float32(path: Path) -> None:
    # A loader follows the dtype named here; float16 arithmetic is slow on a CPU, and
    # the file is in half precision only to be small.
    config = json.loads(path.read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    config.pop("_name_or_path", None)
    write_json(path, config)


def _tokenizer_config() -> dict[str, Any]:
    pad, unknown, classify, separate, mask = SPECIAL
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": MAX_TOKENS,
        "pad_token": pad,
        "unk_token": unknown,
        "cls_token": classify,
        "sep_token": separate,
        "mask_token": mask,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
    }
