"""Any version tried out with plain texts, whatever its task is."""

from collections.abc import Sequence

from inference.predictor import Predictor
from inference.tasks.ports import Decoded, Prepared, flatten, regroup


def prepare(
    predictor: Predictor, texts: Sequence[str], *, short: bool = False
) -> Sequence[Prepared]:
    """Inputs made from `texts`, tokenised; `short` as in Task.encode."""
    task = predictor.task
    return task.encode([task.example(text) for text in texts], task.defaults, short=short)


def answer(predictor: Predictor, texts: Sequence[str]) -> list[Decoded]:
    """Answers to `texts`, all in one forward pass."""
    task, prepared = predictor.task, prepare(predictor, texts)
    outputs = predictor.forward(flatten(prepared))
    return [
        task.decode(prepared[at], own, task.defaults)
        for at, own in enumerate(regroup(prepared, outputs))
    ]
