"""The port through which true labels in a job's file become feedback. Pure.

Feedback is the monitor's, which this app does not know: whoever puts the process together gives a
function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TrueLabel:
    """What is true of a prediction: a class's name."""

    prediction_id: UUID
    label: str


GiveLabels = Callable[[Sequence[TrueLabel], str], Sequence[str]]
"""Gives labels as feedback of the key with this id; for each "" or the code of the error it met.
Called from a thread; giving the same labels again changes nothing.
"""


def give_nowhere(labels: Sequence[TrueLabel], key_id: str) -> Sequence[str]:
    """Where nobody takes labels, none is taken."""
    return ["unavailable"] * len(labels)


def name_of(label: str, names: Sequence[str]) -> str:
    """`label` itself, or the class that it numbers, from 0, where no class is called like that."""
    is_number = label.isascii() and label.isdigit() and len(label) < 6
    if label not in names and is_number and int(label) < len(names):
        return names[int(label)]
    return label
