"""What the pieces of one input gave, put together. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inference.engine.entries import Answered, Outcome
from inference.errors import InferenceError
from inference.tasks.ports import Floats, Forwarded, Prepared, regroup


@dataclass(frozen=True, slots=True)
class Gathered:
    """The `outputs` of an input's pieces, in order; times are the slowest piece's, but `compute_s`:
    what all pieces together took of their batches, as `n_passes` is what they are of the passes
    themselves. `is_cached` says that nothing was computed for this input: somebody had asked the
    same.
    """

    outputs: Sequence[Forwarded]
    queue_s: float
    inference_s: float
    compute_s: float
    is_cached: bool = False
    n_passes: float = 0.0

    @property
    def embedding(self) -> Floats:
        """The mean of the pieces' embeddings [hidden]; empty where there are none."""
        if len(self.outputs) == 1:
            return self.outputs[0].embedding
        mean: Floats = np.mean([each.embedding for each in self.outputs], axis=0)
        return mean

    def shared(self) -> "Gathered":
        """As another caller gets it, who asked the same."""
        return replace(self, compute_s=0.0, is_cached=True, n_passes=0.0)


def gather(
    prepared: Sequence[Prepared],
    outcomes: Sequence[Outcome[Forwarded]],
    places: Sequence[int] | None = None,
) -> Iterator[Gathered]:
    """One for each input; raises the first input's error, with `details.index`: its place among the
    caller's inputs, where `places` says other ones than its place here.
    """
    for index, own in enumerate(regroup(prepared, outcomes)):
        place = index if places is None else places[index]
        yield _gathered([_answered(outcome, place) for outcome in own])


def _gathered(own: Sequence[Answered[Forwarded]]) -> Gathered:
    if len(own) == 1:
        (one,) = own
        compute_s = one.inference_s / one.batch_size
        return Gathered(
            (one.output,), one.queue_s, one.inference_s, compute_s, n_passes=1 / one.batch_size
        )
    return Gathered(
        [each.output for each in own],
        max(each.queue_s for each in own),
        max(each.inference_s for each in own),
        sum(each.inference_s / each.batch_size for each in own),
        n_passes=sum(1 / each.batch_size for each in own),
    )


def _answered(outcome: Outcome[Forwarded], index: int) -> Answered[Forwarded]:
    if isinstance(outcome, InferenceError):
        outcome.details.setdefault("index", index)
        raise outcome
    return outcome
