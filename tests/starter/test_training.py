"""Batches and the fitting loop."""

import random
from typing import TypedDict

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from starter.measure import accuracy, answer
from starter.training import Schedule, SoftLabels, TrainingSet, batches_by_length, fit, pad

PAD = 0


class Shape(TypedDict):
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int


SHAPE: Shape = {
    "vocab_size": 12,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def tiny_model() -> BertForSequenceClassification:
    torch.manual_seed(0)
    return BertForSequenceClassification(BertConfig(**SHAPE, pad_token_id=PAD))


def test_padding_is_masked_and_rounded_up_to_a_few_shapes() -> None:
    ids, mask = pad([[5, 6, 7, 8, 9], [5]], PAD)

    assert ids.tolist() == [[5, 6, 7, 8, 9, 0, 0, 0], [5, 0, 0, 0, 0, 0, 0, 0]]
    assert mask.sum(dim=1).tolist() == [5, 1]


def test_every_row_is_in_exactly_one_batch() -> None:
    lengths = [n % 13 for n in range(1000)]

    batches = batches_by_length(lengths, 16, random.Random(1))

    assert sorted(row for batch in batches for row in batch) == list(range(1000))


def test_rows_of_a_batch_are_of_like_length() -> None:
    lengths = list(range(640))

    batches = batches_by_length(lengths, 64, random.Random(1))

    assert all(max(batch) - min(batch) == 63 for batch in batches)


def two_words(rows: int) -> tuple[list[list[int]], torch.Tensor]:
    """Rows whose label is told by their middle token."""
    labels = torch.arange(rows) % 2
    return [[1, 5 + int(label), 2] for label in labels], labels


def test_a_model_learns_what_the_labels_say() -> None:
    rows, labels = two_words(64)
    model = tiny_model()

    fit(
        model,
        TrainingSet([rows], labels, labelled=1),
        Schedule(epochs=10, learning_rate=1e-2, batch_size=8),
        seed=1,
        title="test",
    )

    assert accuracy(answer(model, rows, unknown_id=9).logits, labels.numpy()) == 1.0


def test_labels_of_unlabelled_forms_are_ignored() -> None:
    rows, labels = two_words(64)
    teacher = torch.nn.functional.one_hot(labels, 2).float() * 8
    features = torch.ones(64, SHAPE["hidden_size"])
    soft = SoftLabels([teacher], [features], share=0.5, temperature=2.0)
    model = tiny_model()

    fit(
        model,
        TrainingSet([rows], 1 - labels, labelled=0, soft=soft),
        Schedule(epochs=10, learning_rate=1e-2, batch_size=8),
        seed=1,
        title="test",
    )

    assert accuracy(answer(model, rows, unknown_id=9).logits, labels.numpy()) == 1.0


def test_answers_do_not_depend_on_batch_mates() -> None:
    model = tiny_model()
    rows = [[1, 5, 2], [1, 5, 6, 7, 8, 9, 10, 2], [1, 2]]

    together = answer(model, rows, unknown_id=9)
    alone = [answer(model, [row], unknown_id=9) for row in rows]

    assert np.allclose(together.logits, np.concatenate([a.logits for a in alone]), atol=1e-5)
    assert np.allclose(
        together.embeddings, np.concatenate([a.embeddings for a in alone]), atol=1e-5
    )
    assert together.lengths.tolist() == [3, 8, 2]
    assert together.unknown.tolist() == [0, 1, 0]


def test_embeddings_average_real_tokens_only() -> None:
    model = tiny_model()
    model.train(False)
    ids = torch.tensor([[1, 5, 2]])
    with torch.inference_mode():
        hidden = model.bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state

    assert answer(model, [[1, 5, 2]], 9).embeddings[0] == pytest.approx(
        hidden[0].mean(dim=0).numpy(), abs=1e-5
    )
