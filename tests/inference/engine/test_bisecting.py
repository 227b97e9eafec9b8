import math
from collections.abc import Sequence

import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.bisecting import WrongOutputCount, forward_each
from inference.errors import InputFailed, RemoteUnavailable
from inference.runtimes.fake import FakeEncoded, FakeOutput, FakeRunner, raise_on
from tests.inference.engine.helpers import encode


def poisoned(*guilty: int) -> FakeRunner:
    """Fails on inputs whose first id is among `guilty`."""
    return FakeRunner(
        script=raise_on(lambda each: each.ids[0] in guilty, lambda: ValueError("bad"))
    )


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13])
def test_one_guilty_input_fails_alone_wherever_it_stands(n: int) -> None:
    inputs = encode(*[4] * n)
    for guilty in range(n):
        runner = poisoned(guilty)
        outcomes = forward_each(runner, inputs)
        for position, outcome in enumerate(outcomes):
            if position == guilty:
                assert isinstance(outcome, InputFailed)
            else:
                assert outcome == runner.answer(inputs[position])
        assert len(runner.batches) <= 1 + 2 * math.ceil(math.log2(n) if n > 1 else 0)


@given(st.sets(st.integers(0, 15)))
def test_any_set_of_guilty_inputs_fails_and_no_other(guilty: set[int]) -> None:
    runner = poisoned(*guilty)
    outcomes = forward_each(runner, encode(*[3] * 16))
    failed = {place for place, each in enumerate(outcomes) if isinstance(each, InputFailed)}
    assert failed == guilty
    assert len(runner.batches) <= 2 * 16 - 1


def test_a_healthy_batch_takes_one_pass() -> None:
    runner = FakeRunner()
    forward_each(runner, encode(3, 3, 3))
    assert len(runner.batches) == 1


def test_the_error_names_no_internals_but_chains_and_logs_its_cause() -> None:
    with structlog.testing.capture_logs() as logs:
        (outcome,) = forward_each(poisoned(0), encode(3))
    assert isinstance(outcome, InputFailed)
    assert isinstance(outcome.__cause__, ValueError)
    assert "bad" not in outcome.message
    assert [line["event"] for line in logs] == ["engine.input_failed"]


def test_a_failure_that_is_the_runner_s_own_is_every_input_s_after_one_pass() -> None:
    runner = FakeRunner(script=lambda batch: RemoteUnavailable("away", retry_after_s=7))
    outcomes = forward_each(runner, encode(3, 3, 3, 3))
    assert len(runner.batches) == 1
    assert len({id(outcome) for outcome in outcomes}) == 4
    for outcome in outcomes:
        assert isinstance(outcome, RemoteUnavailable)
        assert outcome.retry_after_s == 7


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), MemoryError()])
def test_a_batch_too_big_for_memory_is_answered_in_parts(error: Exception) -> None:
    runner = FakeRunner(script=lambda batch: error if len(batch) > 3 else None)
    inputs = encode(*[4] * 8)
    assert forward_each(runner, inputs) == [runner.answer(each) for each in inputs]


class Forgetful(FakeRunner):
    """Leaves out the answer to every input that starts with 1."""

    def forward(self, batch, /):  # type: ignore[no-untyped-def]
        return [answer for answer in super().forward(batch) if answer.ids[0] != 1]


def test_a_missing_output_shifts_no_answer_to_a_neighbour() -> None:
    inputs = encode(3, 3, 3)
    runner = Forgetful()
    first, second, third = forward_each(runner, inputs)
    assert (first, third) == (runner.answer(inputs[0]), runner.answer(inputs[2]))
    assert isinstance(second, InputFailed)
    assert isinstance(second.__cause__, WrongOutputCount)


def test_what_is_no_exception_passes_through() -> None:
    runner = FakeRunner(script=lambda _: SystemExit(3))
    with pytest.raises(SystemExit):
        forward_each(runner, encode(3, 3))
    assert len(runner.batches) == 1


def test_outputs_that_cannot_be_counted_fail_the_input() -> None:
    class Lazy:
        def forward(self, batch: Sequence[FakeEncoded], /) -> list[FakeOutput]:
            return iter(())  # type: ignore[return-value]

    (outcome,) = forward_each(Lazy(), [FakeEncoded((1,))])
    assert isinstance(outcome, InputFailed)
