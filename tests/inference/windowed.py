"""Versions whose inputs make windows, loaded as the server loads them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.predictor import Predictor
from inference.runtimes.ports import Placement
from inference.runtimes.torch import TorchRuntime
from inference.tasks.kinds import KINDS
from inference.tasks.ports import Decoded, Divided, flatten, regroup
from registry.specs import Pooling, VersionSpec

CPU = Placement(device="cpu", dtype="float32", n_cores=1)
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")


def load(view: Path, task: str, labels: tuple[str, ...] = (), *, model: str = "team/model"):
    kind = KINDS[task]
    spec = VersionSpec(
        model=model,
        number=1,
        digest="0" * 64,
        task=task,
        labels=labels,
        pooling=Pooling.MEAN,
        view=view,
        n_bytes=1,
    )
    made = kind.make(view, labels)
    return Predictor(spec=spec, task=made, runtime=TorchRuntime(spec, CPU, made.form, kind.head))


def prepare(predictor: Predictor, item: Any, parameters: Any = None) -> Divided:
    task = predictor.task
    (prepared,) = task.encode([item], parameters or task.defaults, short=True)
    assert isinstance(prepared, Divided)
    return prepared


def ask(
    predictor: Predictor, inputs: Sequence[Any], parameters: Any = None, *, batch: int = 4
) -> list[Decoded]:
    """Answers to `inputs`, whose pieces run `batch` at a time."""
    task = predictor.task
    chosen = parameters or task.defaults
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
