"""What a classifier says about texts, computed in float32 as the service does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import BertForSequenceClassification

from starter.training import TokenIds, pad

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the network makes of n rows.

    Logits [n, classes], the features they are computed from [n, hidden], mean-pooled
    embeddings [n, hidden], token counts and unknown-token counts [n].
    """

    logits: Floats
    features: Floats
    embeddings: Floats
    lengths: Integers
    unknown: Integers


def encode(tokenizer: Tokenizer, texts: Sequence[str], limit: int = 512) -> TokenIds:
    """Return token ids with special tokens, cut at the limit."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return [list(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]


@torch.inference_mode()
def answer(
    model: BertForSequenceClassification,
    rows: TokenIds,
    unknown_id: int,
    batch_size: int = 64,
    fast: bool = False,
) -> Answers:
    """Classify token rows. ``fast`` computes in bfloat16, good enough for soft labels."""
    model.train(False)
    pad_id = int(model.config.pad_token_id or 0)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    logits = np.zeros((len(rows), model.classifier.out_features))
    features = np.zeros((len(rows), model.classifier.in_features))
    embeddings = np.zeros_like(features)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        ids, mask = pad([rows[row] for row in batch], pad_id)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
            hidden = model.bert(input_ids=ids, attention_mask=mask)
            scores = model.classifier(hidden.pooler_output)
        real = mask.unsqueeze(-1).float()
        pooled = (hidden.last_hidden_state.float() * real).sum(1) / real.sum(1)
        logits[batch] = scores.float().numpy()
        features[batch] = hidden.pooler_output.float().numpy()
        embeddings[batch] = pooled.numpy()
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    unknown = np.array([row.count(unknown_id) for row in rows], dtype=np.int64)
    return Answers(logits, features, embeddings, lengths, unknown)


def softmax(logits: Floats) -> Floats:
    """Return probabilities [n, classes]."""
    raised: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def accuracy(logits: Floats, labels: Integers) -> float:
    """Share of rows whose highest logit is the label."""
    return float((logits.argmax(axis=1) == labels).mean())
