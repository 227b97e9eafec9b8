"""Inputs that make windows, asked of versions loaded as the server loads them."""

from typing import Any

from inference.predictor import Predictor
from inference.tasks.ports import Divided

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")


def prepare(predictor: Predictor, item: Any, parameters: Any = None) -> Divided:
    task = predictor.task
    (prepared,) = task.encode([item], parameters or task.defaults, short=True)
    assert isinstance(prepared, Divided)
    return prepared
