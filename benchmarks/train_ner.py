"""Train a small model for names of people, places and organisations, to measure tasks with.

python -m benchmarks.train_ner --data DIR --out DIR [--epochs N]

Fine-tunes the base model of the starter (starter/requirements.txt) on the dev sentences of ner_ewt;
the test sentences stay unseen. Takes a few minutes of one core.
"""

import argparse
import gzip
import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import BertForTokenClassification

from starter.models import base_folder, load_base_tokenizer

SEED = 20261121
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
BATCH, RATE, WARM_SHARE = 32, 2e-4, 0.1
UNLABELLED = -100
Row = tuple[list[int], list[int]]


def load_sentences(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rows_of(tokenizer: Tokenizer, sentences: Sequence[dict[str, Any]]) -> list[Row]:
    """Ids and tags of each sentence; a word's later pieces are inside what its first begins."""
    rows = []
    for sentence in sentences:
        encoding = tokenizer.encode(sentence["tokens"], is_pretokenized=True)
        tags, before = [], None
        for word in encoding.word_ids:
            if word is None:
                tags.append(UNLABELLED)
            else:
                tag = sentence["tags"][word]
                tags.append(TAGS.index(tag.replace("B-", "I-") if word == before else tag))
            before = word
        rows.append((encoding.ids[:512], tags[:512]))
    return rows


def batches(rows: Sequence[Row], rng: random.Random) -> Iterator[tuple[torch.Tensor, ...]]:
    """Rows of like length together, in a new order each time: ids, mask and tags [n, longest]."""
    order = sorted(rows, key=lambda row: (len(row[0]), rng.random()))
    cuts = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    rng.shuffle(cuts)
    for cut in cuts:
        longest = max(len(ids) for ids, _ in cut)
        yield (
            torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in cut]),
            torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in cut]),
            torch.tensor([tags + [UNLABELLED] * (longest - len(tags)) for _, tags in cut]),
        )


def train(rows: Sequence[Row], epochs: int) -> BertForTokenClassification:
    torch.manual_seed(SEED)
    model: BertForTokenClassification = BertForTokenClassification.from_pretrained(
        base_folder(), id2label=dict(enumerate(TAGS)), label2id={t: i for i, t in enumerate(TAGS)}
    )
    model.train()
    n_steps = epochs * -(-len(rows) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / (WARM_SHARE * n_steps), 1 - step / n_steps),
    )
    rng, started = random.Random(SEED), time.perf_counter()
    for epoch in range(epochs):
        losses = []
        for ids, mask, tags in batches(rows, rng):
            logits = model(input_ids=ids, attention_mask=mask).logits
            loss = cross_entropy(logits.flatten(0, 1), tags.flatten(), ignore_index=UNLABELLED)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rates.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}, {seconds:.0f} s")
    model.eval()  # type: ignore[no-untyped-call]
    return model


def save(model: BertForTokenClassification, out: Path) -> None:
    model.save_pretrained(out)
    for name in TOKENIZER_FILES:
        shutil.copyfile(base_folder() / name, out / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds ner_ewt/dev.jsonl.gz")
    parser.add_argument("--out", type=Path, required=True, help="gets the model's files")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    sentences = load_sentences(asked.data / "ner_ewt" / "dev.jsonl.gz")
    save(train(rows_of(load_base_tokenizer(), sentences), asked.epochs), asked.out)
    print(f"trained on {len(sentences)} sentences; the files are in {asked.out}")


if __name__ == "__main__":
    main()
