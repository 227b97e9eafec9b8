"""Versions of any task loaded as the server loads them, and what they answer without it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.predictor import Predictor
from inference.runtimes import writing
from inference.runtimes.company import check_company
from inference.runtimes.ports import Placement
from inference.runtimes.torch import TorchRuntime
from inference.tasks.kinds import KINDS
from inference.tasks.ports import Decoded, flatten, regroup
from registry.specs import Pooling, VersionSpec

CPU = Placement(device="cpu", dtype="float32", n_cores=1)


def load(
    view: Path,
    task: str,
    labels: tuple[str, ...] = (),
    pooling: Pooling = Pooling.MEAN,
    placement: Placement = CPU,
    model: str = "team/tiny",
) -> Predictor:
    """The model in `view` as version 1 of `model`."""
    kind = KINDS[task]
    spec = VersionSpec(
        model=model,
        number=1,
        digest="0" * 64,
        task=task,
        labels=labels,
        pooling=pooling,
        view=view,
        n_bytes=1,
    )
    if kind.make is None or kind.head is None:
        return writing.load(spec, placement)
    made = kind.make(view, labels)
    runtime = TorchRuntime(spec, placement, made.form, kind.head)
    check_company(made, runtime, dtype=placement.dtype)
    return Predictor(spec=spec, task=made, runtime=runtime)


def ask(
    predictor: Predictor, inputs: Sequence[Any], parameters: Any = None, *, batch: int = 4
) -> list[Decoded]:
    """Answers to `inputs`, whose pieces run `batch` at a time."""
    task = predictor.task
    chosen = task.defaults if parameters is None else parameters
    prepared = task.encode(inputs, chosen, short=True)
    pieces = flatten(prepared)
    outputs = [
        output
        for start in range(0, len(pieces), batch)
        for output in predictor.forward(pieces[start : start + batch])
    ]
    return [
        task.decode(prepared[at], own, chosen) for at, own in enumerate(regroup(prepared, outputs))
    ]
