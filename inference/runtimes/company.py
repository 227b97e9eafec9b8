"""Whether a model answers a text alone as it answers it in company.

Texts of different lengths share a forward pass, padded to one length. Not every architecture lets
them: some count padding as text, some route or cut by what the whole batch holds. Such a model
would be wrong for some callers and right for others, so each is tried when it is loaded.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from inference.tasks.ports import Encoded, Forwarded, LocalTask, flatten

TEXTS = ("One", "Two, three, four: a text that is several times as long as the first.")
# How far apart answers may lie, as a share of the largest number in them.
TOLERANCES = {"float32": 2e-4, "bfloat16": 0.1, "float16": 0.1}


class Runs(Protocol):
    """A runtime, as far as it matters here."""

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]: ...


def check_company(task: LocalTask, runtime: Runs, *, dtype: str) -> None:
    """Raise ValueError for a model that answers a text differently in company, or not at all."""
    prepared = task.encode([task.example(text) for text in TEXTS], task.defaults, short=True)
    pieces = flatten(prepared)
    try:
        alone = [runtime.forward([piece])[0].logits for piece in pieces]
        together = [each.logits for each in runtime.forward(pieces)]
    except Exception as error:
        raise ValueError(f"texts cannot share a forward pass of it: {error}") from error
    refuse_apart(alone, together, dtype=dtype)


def refuse_apart(alone: Sequence[Any], together: Sequence[Any], *, dtype: str) -> None:
    """Raise ValueError where arrays that should be equal lie further apart than rounding does."""
    for one, other in zip(alone, together, strict=True):
        apart = float(np.abs(one - other).max())
        if apart > TOLERANCES[dtype] * max(1.0, float(np.abs(one).max())):
            raise ValueError(
                "its answers depend on the texts that share a batch, or on what it keeps of earlier"
                f" tokens (by {apart:.2g} of {float(np.abs(one).max()):.2g}), so it cannot be"
                " served here"
            )
