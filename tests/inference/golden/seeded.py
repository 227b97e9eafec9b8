"""Tiny real models that two versions of transformers build alike: for answers recorded by one.

Weights come from numpy by parameter name and shape, tokenizers from the files beside this one (a
word-piece one as BERT has, a byte-level one as RoBERTa has, a unigram one as DeBERTa-v2 has).
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, PreTrainedTokenizerFast

TOKENIZERS = Path(__file__).parent / "tokenizers"
STYLES = {
    "bert": "wordpiece",
    "distilbert": "wordpiece",
    "electra": "wordpiece",
    "roberta": "bytelevel",
    "deberta-v2": "unigram",
}
SPECIAL = {
    "wordpiece": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    "bytelevel": ("<pad>", "<unk>", "<s>", "</s>", "<mask>"),
    "unigram": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
}
WITH_TYPES = {"bert", "electra"}
POSITIONS = 64


def save_seeded(
    directory: Path, architecture: str, auto: Any, *, positions: int = POSITIONS, **config: object
) -> Path:
    """Save a 2-layer model of width 32 with the head of `auto`, and its tokenizer."""
    tokenizer = load_tokenizer(architecture, positions)
    made = AutoConfig.for_model(architecture, **_sizes(architecture, len(tokenizer), positions))
    made.update({"pad_token_id": tokenizer.pad_token_id, **config})
    model = auto.from_config(made).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(_weights(name, tuple(parameter.shape))))
    model.save_pretrained(directory, safe_serialization=True)
    tokenizer.save_pretrained(directory)
    return directory


def fingerprint(view: Path) -> str:
    """What the weights in a directory sum up to: the same where they were built alike."""
    weights = safetensors.numpy.load_file(view / "model.safetensors")
    sums = (float(np.abs(weights[name], dtype=np.float64).sum()) for name in sorted(weights))
    return f"{len(weights)} {sum(sums):.6f}"


def load_tokenizer(architecture: str, positions: int = POSITIONS) -> PreTrainedTokenizerFast:
    style = STYLES[architecture]
    pad, unk, first, last, mask = SPECIAL[style]
    names = ["input_ids", "attention_mask"]
    if architecture in WITH_TYPES:
        names.insert(1, "token_type_ids")
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_file(str(TOKENIZERS / f"{style}.json")),
        pad_token=pad,
        unk_token=unk,
        cls_token=first,
        sep_token=last,
        mask_token=mask,
        model_max_length=positions,
        model_input_names=names,
    )


def _weights(name: str, shape: tuple[int, ...]) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """The same numbers everywhere; heads are stretched, so that answers differ by their text."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if len(shape) == 1:
        # Of layer norms and biases: near what they are fresh.
        return (0.1 * drawn + name.endswith("LayerNorm.weight")).astype(np.float32)
    scale = 1.5 if "qa_outputs" in name or "classifier" in name else 0.15
    return (scale * drawn).astype(np.float32)


def _sizes(architecture: str, vocab_size: int, positions: int) -> dict[str, object]:
    if architecture == "distilbert":
        return {
            "vocab_size": vocab_size,
            "dim": 32,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dim": 64,
            "max_position_embeddings": positions,
        }
    sizes: dict[str, object] = {
        "vocab_size": vocab_size,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": positions + 2 * (architecture == "roberta"),
    }
    if architecture == "electra":
        sizes["embedding_size"] = 16
    return sizes
