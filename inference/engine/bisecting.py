"""One bad input hurts one caller: a failing batch is halved until the guilty input stands alone.

A failure that the runner says is its own, not an input's, is everybody's at once.
"""

import traceback
from collections.abc import Sequence
from typing import TypeVar

import structlog

from inference.engine.ports import Runner
from inference.errors import InferenceError, InputFailed

log = structlog.get_logger(__name__)

E = TypeVar("E")
O = TypeVar("O")  # noqa: E741 - an output, as E is an encoded input


class WrongOutputCount(RuntimeError):
    """A runner gave more or fewer outputs than it got inputs: none of them can be trusted."""


def forward_each(runner: Runner[E, O], inputs: Sequence[E]) -> list[O | InferenceError]:
    """One output, or InputFailed, for every input, in order.

    Any Exception (running out of memory is one) makes both halves run by themselves: one guilty
    input among n costs at most 2 * ceil(log2(n)) further passes, n guilty ones 2 * n - 2. What is
    only a BaseException passes through. An InferenceError that the runner raises is not about any
    input: all of them get it, and no half is tried.
    """
    try:
        return list(_forward(runner, inputs))
    except InferenceError as error:
        return [_alike(error) for _ in inputs]
    except Exception as error:
        if len(inputs) == 1:
            return [_blame(error)]
    # Outside the handler, so that the failed pass's tensors are freed before the next one.
    middle = len(inputs) // 2
    return [*forward_each(runner, inputs[:middle]), *forward_each(runner, inputs[middle:])]


def _forward(runner: Runner[E, O], inputs: Sequence[E]) -> Sequence[O]:
    outputs = runner.forward(inputs)
    if len(outputs) != len(inputs):
        raise WrongOutputCount(f"{len(inputs)} inputs gave {len(outputs)} outputs.")
    return outputs


def _alike(error: InferenceError) -> InferenceError:
    # One each: callers add to the details of theirs.
    return type(error)(error.message, details=error.details, retry_after_s=error.retry_after_s)


def _blame(error: Exception) -> InputFailed:
    log.warning("engine.input_failed", exc_info=error)
    # The cause outlives this call; the tensors in its frames must not.
    traceback.clear_frames(error.__traceback__)
    failed = InputFailed("The model failed on this input. Change the input, or leave it out.")
    failed.__cause__ = error
    return failed
