"""Which spans of tokens answer a question, from what a model says of where they begin and end.

Pure; by the rules of `transformers.pipeline("question-answering")`, without its table of all pairs:
only spans of the length asked for are weighed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from inference.tasks.ports import Floats

_NEVER = np.float32(-10_000.0)


@dataclass(frozen=True, slots=True)
class SpanProbabilities:
    """That an answer begins [n] and ends [n] at a token, and that there is none (`empty`)."""

    starts: Floats
    ends: Floats
    empty: float


def span_probabilities(logits: Floats, may_answer: Iterable[bool]) -> SpanProbabilities:
    """Probabilities from logits [n, 2]; tokens that may not answer [n] get none.

    The first token stands for no answer.
    """
    allowed = np.fromiter(may_answer, dtype=bool, count=len(logits))
    starts, ends = (_softmax(np.where(allowed, logits[:, i], _NEVER)) for i in (0, 1))
    empty = float(starts[0] * ends[0])
    starts[0] = ends[0] = 0.0
    return SpanProbabilities(starts, ends, empty)


def best_spans(given: SpanProbabilities, k: int, max_tokens: int) -> list[tuple[int, int, float]]:
    """The `k` likeliest spans of at most `max_tokens`, best first, as first and last token and
    probability; fewer where no more are possible.
    """
    n = len(given.starts)
    width = min(max_tokens, n)
    padded = np.concatenate((given.ends, np.zeros(width - 1, dtype=np.float32)))
    ends = np.lib.stride_tricks.sliding_window_view(padded, width)
    scores = (given.starts[:, None] * ends).ravel()
    if k < len(scores):
        chosen = np.argpartition(-scores, k)[:k] if k > 1 else np.array([scores.argmax()])
    else:
        chosen = np.arange(len(scores))
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    return [
        (int(at) // width, int(at) // width + int(at) % width, float(scores[at]))
        for at in chosen
        if scores[at] > 0
    ]


def _softmax(logits: Floats) -> Floats:
    powers: Floats = np.exp(logits - logits.max())
    powers /= powers.sum()
    return powers
