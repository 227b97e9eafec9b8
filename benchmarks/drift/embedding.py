"""What a real model makes of texts: logits and mean-pooled embeddings, computed once and kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

LONGEST_TOKENS = 128
BATCH = 32
N_CLASSES = 2
Floats32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """One row a text: `logits` [n, 2] of the model's own head (a fresh one's mean nothing),
    `embeddings` [n, d], `n_tokens` and `n_unknown` [n].
    """

    logits: Floats32
    embeddings: Floats32
    n_tokens: Integers
    n_unknown: Integers


def embed(texts: Sequence[str], model: Path, cache: Path) -> Passed:
    """Pass `texts` through the BERT in the folder `model`, or read what an earlier run kept.

    Embeddings are rounded to half precision, as a reference's sample is.
    """
    kept = cache / f"{_key(texts, model)}.npz"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        passed = _pass(texts, model)
        unfinished = kept.with_suffix(".tmp.npz")
        np.savez(
            unfinished,
            logits=passed.logits,
            embeddings=passed.embeddings.astype(np.float16),
            n_tokens=passed.n_tokens,
            n_unknown=passed.n_unknown,
        )
        unfinished.rename(kept)
    with np.load(kept) as arrays:
        return Passed(
            logits=arrays["logits"],
            embeddings=arrays["embeddings"].astype(np.float32),
            n_tokens=arrays["n_tokens"],
            n_unknown=arrays["n_unknown"],
        )


def _pass(texts: Sequence[str], model: Path) -> Passed:
    from tokenizers import Tokenizer
    from transformers import BertForSequenceClassification

    from starter.measure import answer, encode

    network = BertForSequenceClassification.from_pretrained(
        model, num_labels=N_CLASSES, dtype="float32"
    )
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    rows = encode(tokenizer, texts, LONGEST_TOKENS)
    answers = answer(network, rows, tokenizer.token_to_id("[UNK]") or 0, batch_size=BATCH)
    return Passed(
        logits=answers.logits.astype(np.float32),
        embeddings=answers.embeddings.astype(np.float32),
        n_tokens=answers.lengths,
        n_unknown=answers.unknown,
    )


def _key(texts: Sequence[str], model: Path) -> str:
    digest = hashlib.sha256((model / "model.safetensors").read_bytes())
    digest.update(f"{LONGEST_TOKENS}".encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:32]
