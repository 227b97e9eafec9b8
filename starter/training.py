"""Fitting a classifier: batches of like length, one loop for teacher and student."""

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm
from transformers import BertForSequenceClassification

# Lengths are rounded up to this: each new shape costs the bfloat16 kernels a
# compilation, and a handful of shapes keeps that to the first minute.
_LENGTH_STEP = 4
# Batches are sorted by length inside a pool this many batches wide, so that padding
# is rare and the order still random.
_POOL = 50
_NO_LABEL = -100

TokenIds: TypeAlias = list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast one model learns."""

    epochs: int
    learning_rate: float
    batch_size: int = 64
    warmup_share: float = 0.06
    weight_decay: float = 0.01
    max_gradient: float = 1.0


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """A teacher's opinion of every form, and how much it counts.

    Logits [rows, classes] and the features behind them [rows, hidden], one pair a form.
    """

    logits: Sequence[Tensor]
    features: Sequence[Tensor]
    share: float
    temperature: float


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The same rows in several forms; every epoch draws one form a row.

    The labels hold for the first ``labelled`` forms only; the others have a teacher's
    opinion and nothing else.
    """

    forms: Sequence[TokenIds]
    labels: Tensor
    labelled: int
    soft: SoftLabels | None = None


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both [rows, longest]."""
    longest = max(len(row) for row in rows)
    width = math.ceil(longest / _LENGTH_STEP) * _LENGTH_STEP
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return ids, mask


def batches_by_length(lengths: Sequence[int], size: int, rng: random.Random) -> list[list[int]]:
    """Return row numbers in batches of like length, in random order."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), size * _POOL):
        pool = sorted(order[start : start + size * _POOL], key=lengths.__getitem__)
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    rng.shuffle(batches)
    return batches


def fit(
    model: BertForSequenceClassification,
    data: TrainingSet,
    schedule: Schedule,
    seed: int,
    title: str,
) -> float:
    """Train in place and return the mean loss of the last epoch."""
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311, a seed is wanted
    steps = math.ceil(len(data.labels) / schedule.batch_size) * schedule.epochs
    optimizer = _optimizer(model, schedule)
    pace = LambdaLR(optimizer, lambda step: _pace(step, steps, schedule.warmup_share))
    pad_id = int(model.config.pad_token_id or 0)
    model.train()
    mean = math.nan
    with tqdm(total=steps, desc=title, mininterval=10) as progress:
        for epoch in range(schedule.epochs):
            started, losses = time.perf_counter(), []
            for rows, forms in _epoch(data, schedule.batch_size, rng):
                loss = _loss(model, data, rows, forms, pad_id)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.max_gradient)
                optimizer.step()
                pace.step()
                optimizer.zero_grad()
                losses.append(loss.item())
                progress.update()
            mean = sum(losses) / len(losses)
            spent = time.perf_counter() - started
            tqdm.write(f"{title}: epoch {epoch + 1}, loss {mean:.4f}, {spent:.0f} s")
    model.train(False)
    return mean


def _epoch(
    data: TrainingSet, size: int, rng: random.Random
) -> Iterator[tuple[list[int], list[int]]]:
    drawn = [rng.randrange(len(data.forms)) for _ in range(len(data.labels))]
    lengths = [len(data.forms[form][row]) for row, form in enumerate(drawn)]
    for rows in batches_by_length(lengths, size, rng):
        yield rows, [drawn[row] for row in rows]


def _loss(
    model: BertForSequenceClassification,
    data: TrainingSet,
    rows: Sequence[int],
    forms: Sequence[int],
    pad_id: int,
) -> Tensor:
    pairs = list(zip(forms, rows, strict=True))
    ids, mask = pad([data.forms[form][row] for form, row in pairs], pad_id)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = model.bert(input_ids=ids, attention_mask=mask).pooler_output
        logits = model.classifier(model.dropout(features))
    logits = logits.float()
    known = torch.tensor(forms) < data.labelled
    labels = data.labels[list(rows)].where(known, torch.tensor(_NO_LABEL))
    # Not the mean over labelled rows: that would be undefined in a batch without any.
    summed = functional.cross_entropy(logits, labels, reduction="sum", ignore_index=_NO_LABEL)
    hard = summed / len(rows)
    if (soft := data.soft) is None:
        return hard
    wanted = torch.stack([soft.logits[form][row] for form, row in pairs])
    guides = torch.stack([soft.features[form][row] for form, row in pairs]).float()
    # Two classes make a logit a single number; the features say why it came out so.
    imitation = _divergence(logits, wanted, soft.temperature) + _angle(features.float(), guides)
    return soft.share * imitation + (1 - soft.share) * hard


def _divergence(logits: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence at a temperature (Hinton et al., 2015)."""
    divergence = functional.kl_div(
        functional.log_softmax(logits / temperature, dim=-1),
        functional.log_softmax(wanted / temperature, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    # Gradients of softened targets shrink with the square of the temperature.
    return divergence * temperature**2


def _angle(features: Tensor, guides: Tensor) -> Tensor:
    """Mean squared distance of the normalised features (Sun et al., 2019)."""
    return 2 - 2 * functional.cosine_similarity(features, guides, dim=-1).mean()


def _optimizer(model: BertForSequenceClassification, schedule: Schedule) -> AdamW:
    weights = [p for p in model.parameters() if p.ndim > 1]
    # Biases and layer norms are scales and offsets: decay would pull them off zero-mean.
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": schedule.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=schedule.learning_rate, fused=True)


def _pace(step: int, steps: int, warmup_share: float) -> float:
    warmup = max(1, round(steps * warmup_share))
    return min((step + 1) / warmup, max(0.0, (steps - step) / (steps - warmup + 1)))
