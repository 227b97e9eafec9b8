"""Forward passes of the shapes that traffic brings, until they stop getting faster.

The first passes of a model cost many times the later ones: memory is touched for the first time,
kernels are picked, a graph is specialised. Nobody should wait for that.
"""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from inference.predictor import Predictor
from inference.probing import prepare
from inference.tasks.ports import Encoded, flatten

# (texts, words): what the batching makes of single callers and of load.
SHAPES = ((1, 8), (4, 16), (8, 32))
N_STEADY = 3
EPSILON = 0.2
BUDGET_S = 2.0
MAX_ROUNDS = 20


def warm_up(
    predictor: Predictor,
    *,
    shapes: Sequence[tuple[int, int]] = SHAPES,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Run rounds of all `shapes` until they are steady, or until `budget_s` is over.

    Steady: the p95 of `N_STEADY` rounds in a row is within `EPSILON` of the one before. At least
    one round is run. Returns what was measured, in seconds.
    """
    batches = [_batch(predictor, n, words) for n, words in shapes]
    started, p95s = clock(), []
    while True:
        p95s.append(_round(predictor, batches, clock))
        steady = is_steady(p95s)
        if steady or clock() - started >= budget_s or len(p95s) >= MAX_ROUNDS:
            break
    return {
        "warm_s": round(clock() - started, 4),
        "warm_rounds": len(p95s),
        "warm_first_p95_s": round(p95s[0], 5),
        "warm_p95_s": round(p95s[-1], 5),
        "warm_is_steady": steady,
    }


def is_steady(p95s: Sequence[float]) -> bool:
    """Whether each of the last `N_STEADY` figures is within `EPSILON` of the one before it.

    >>> is_steady([9.0, 1.0, 1.1, 1.0, 1.05])
    True
    >>> is_steady([9.0, 1.0, 1.1, 1.0])
    False
    """
    if len(p95s) <= N_STEADY:
        return False
    last = p95s[-N_STEADY - 1 :]
    return all(abs(now - before) <= EPSILON * before for before, now in pairwise(last))


def _round(
    predictor: Predictor, batches: Sequence[Sequence[Encoded]], clock: Callable[[], float]
) -> float:
    """The 95th percentile of a round's passes: with so few, the slowest."""
    times = []
    for batch in batches:
        started = clock()
        predictor.forward(batch)
        times.append(clock() - started)
    return max(times)


def _batch(predictor: Predictor, n: int, words: int) -> list[Encoded]:
    text = " ".join(["word"] * words)
    return flatten(prepare(predictor, [text] * n))
