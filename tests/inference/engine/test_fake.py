import threading

from inference.runtimes.fake import FakeEncoded, FakeRunner
from tests.inference.engine.helpers import encode


def test_answers_depend_on_seed_and_ids_alone() -> None:
    first, second = encode(3, 5)
    runner = FakeRunner(seed=1)
    assert runner.forward([first, second]) == [*runner.forward([first]), *runner.forward([second])]
    assert runner.answer(first) == FakeRunner(seed=1).answer(first)
    assert runner.answer(first).score != FakeRunner(seed=2).answer(first).score
    assert 0 <= runner.answer(first).score < 1


def test_it_remembers_the_batches_it_saw() -> None:
    runner = FakeRunner()
    first, second = encode(3, 5)
    runner.forward([first, second])
    runner.forward([second])
    assert runner.batches == [(first, second), (second,)]


def test_the_delay_is_slept_for_padded_tokens() -> None:
    naps: list[float] = []
    runner = FakeRunner(delay_s=lambda padded: 0.5 * padded, sleep=naps.append)
    runner.forward([FakeEncoded((1,)), FakeEncoded((1, 2, 3))])
    assert naps == [3.0]


def test_a_closed_gate_holds_a_pass_only_so_long() -> None:
    runner = FakeRunner(gate=threading.Event(), max_hold_s=0.001)
    assert len(runner.forward(encode(2))) == 1
    assert runner.entered.is_set()
