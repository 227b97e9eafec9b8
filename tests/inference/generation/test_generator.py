"""The port on a model that is none: sharing, leaving, limits, failures, life and death."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from inference.engine.limits import Priority
from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    InputFailed,
    InvalidRequest,
    LaneFailed,
    ModelNotReady,
    QueueFull,
    RequestCancelled,
    ShuttingDown,
    TextTooLong,
    TooManyInputs,
)
from inference.generation.fake import EOS, FakeGenerationModel
from inference.generation.generator import (
    Event,
    FailedEvent,
    FinishEvent,
    Generated,
    GenerationLimits,
    GenerationOptions,
    Generator,
    Prompt,
    TokenEvent,
)

WAIT_S = 20.0


def a_prompt(first: int, n: int = 3) -> Prompt:
    return Prompt((first, *range(1, n)))


def soon() -> float:
    return time.monotonic() + WAIT_S


@contextmanager
def running(model: FakeGenerationModel, **limits: Any) -> Iterator[Generator]:
    generator = Generator(model, GenerationLimits(restart_backoff_s=0.001, **limits))
    generator.start()
    try:
        yield generator
    finally:
        if model._gate is not None:
            model._gate.set()
        generator.close(5)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, WAIT_S))


async def until(is_so: Callable[[], bool]) -> None:
    """Let others run until it is so; the test's own time limit ends a wait in vain."""
    while not is_so():  # noqa: ASYNC110 - what changes belongs to a thread
        await asyncio.sleep(0.001)


async def one(generator: Generator, prompt: Prompt, **options: Any) -> Generated:
    (outcome,) = await generator.generate([prompt], GenerationOptions(**options), deadline=soon())
    assert not isinstance(outcome, InferenceError), outcome
    return outcome[0]


def test_what_a_row_gets_does_not_depend_on_who_shares_its_passes() -> None:
    async def together(generator: Generator) -> list[Generated]:
        return await asyncio.gather(*(one(generator, a_prompt(n), max_new_tokens=n) for n in NS))

    NS = range(3, 19)
    with running(FakeGenerationModel(), max_rows=8) as generator:
        alone = [run(one(generator, a_prompt(n), max_new_tokens=n)).text for n in NS]
        n_alone = generator.n_steps
        shared = [each.text for each in run(together(generator))]
        assert shared == alone
        assert [len(each) for each in shared] == list(NS)
        assert generator.n_steps - n_alone < n_alone / 2


def test_a_newcomer_joins_rows_that_run() -> None:
    async def work() -> None:
        first = asyncio.create_task(one(generator, a_prompt(1), max_new_tokens=1_000_000))
        await until(lambda: generator.n_tokens > 20)
        await one(generator, a_prompt(2), max_new_tokens=5)
        assert not first.done()
        first.cancel()

    model = FakeGenerationModel()
    # The newcomer is far shorter than what runs, which the padding limit here allows.
    with running(model, max_padding=0.999999, max_cached_tokens=10**8) as generator:
        run(work())
    assert ("prefill", (2,)) in model.passes
    assert ("step", (1, 2)) in model.passes


def test_cohorts_that_cannot_merge_take_turns() -> None:
    async def work() -> None:
        first = asyncio.create_task(one(generator, a_prompt(1), max_new_tokens=1_000_000))
        await until(lambda: generator.n_tokens > 20)
        await one(generator, a_prompt(2), max_new_tokens=5)
        assert not first.done()
        first.cancel()

    model = FakeGenerationModel(can_merge=False)
    with running(model, max_cached_tokens=10**8) as generator:
        run(work())
    at = model.passes.index(("prefill", (2,)))
    assert sorted(model.passes[at + 1 : at + 3]) == [("step", (1,)), ("step", (2,))]


def test_each_sequence_has_a_seed_of_its_own_and_names_it() -> None:
    async def work() -> list[Any]:
        options = GenerationOptions(do_sample=True, seed=7, num_return_sequences=3)
        return await generator.generate([a_prompt(1)], options, deadline=soon())

    with running(FakeGenerationModel()) as generator:
        (sequences,) = run(work())
        again = run(one(generator, a_prompt(1), do_sample=True, seed=8))
    assert [each.seed for each in sequences] == [7, 8, 9]
    assert len({each.text for each in sequences}) == 3
    assert again.text == sequences[1].text


def test_who_names_no_seed_is_told_the_one_that_was_drawn() -> None:
    generator = Generator(FakeGenerationModel(), draw_seed=lambda: 42)
    generator.start()
    try:
        assert run(one(generator, a_prompt(1), do_sample=True)).seed == 42
        assert run(one(generator, a_prompt(1))).seed is None
    finally:
        generator.close(5)


def answer(text: str) -> Callable[[Prompt], list[int]]:
    return lambda prompt: list(text.encode())


async def read(generator: Generator, *prompts: Prompt, **options: Any) -> list[Event]:
    stream = generator.stream(prompts, GenerationOptions(**options), deadline=soon())
    return [event async for event in stream]


def test_a_stream_gives_every_token_and_then_the_reason() -> None:
    with running(FakeGenerationModel(says=answer("a🐑b"))) as generator:
        *tokens, last = run(read(generator, a_prompt(1)))
    assert [each.text for each in tokens] == ["a", "", "", "", "🐑", "b", ""]
    assert [each.token_id for each in tokens] == [*"a🐑b".encode(), EOS]
    assert [each.is_special for each in tokens] == [False] * 6 + [True]
    assert last == FinishEvent(
        index=0, sequence=0, finish_reason="eos_token", n_tokens=7, seed=None, text="a🐑b"
    )


def test_length_ends_a_text_and_what_was_held_back_comes_with_it() -> None:
    with running(FakeGenerationModel(says=answer("a🐑"))) as generator:
        *tokens, last = run(read(generator, a_prompt(1), max_new_tokens=3))
    assert [each.text for each in tokens] == ["a", "", "\ufffd"]
    assert (last.finish_reason, last.text) == ("length", "a\ufffd")


def test_a_stop_text_ends_the_row_and_is_cut_off() -> None:
    with running(FakeGenerationModel(says=answer("one. END two"))) as generator:
        *tokens, last = run(read(generator, a_prompt(1), stop=(" END",)))
        whole = run(one(generator, a_prompt(1), stop=(" END",)))
    assert "".join(each.text for each in tokens) == last.text == whole.text == "one."
    assert last.finish_reason == whole.finish_reason == "stop_sequence"
    assert last.n_tokens == len("one. END")


def test_events_of_several_sequences_name_theirs() -> None:
    with running(FakeGenerationModel()) as generator:
        events = run(
            read(
                generator,
                a_prompt(1),
                a_prompt(2),
                do_sample=True,
                num_return_sequences=2,
                max_new_tokens=3,
            )
        )
    ends = [each for each in events if isinstance(each, FinishEvent)]
    assert sorted((each.index, each.sequence) for each in ends) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for end in ends:
        mine = [
            each.text
            for each in events
            if isinstance(each, TokenEvent)
            and (each.index, each.sequence) == (end.index, end.sequence)
        ]
        assert "".join(mine) == end.text


def test_who_leaves_a_stream_leaves_the_batch_at_the_next_step() -> None:
    async def work() -> None:
        other = asyncio.create_task(one(generator, a_prompt(2), max_new_tokens=1_000_000))
        stream = generator.stream([a_prompt(1)], HUGE, deadline=soon())
        async with stream:
            await anext(stream)
        await until(lambda: generator.n_running == 1)
        assert not other.done()
        other.cancel()
        await until(lambda: generator.is_drained)

    HUGE = GenerationOptions(max_new_tokens=1_000_000)
    with running(FakeGenerationModel(), max_cached_tokens=10**8) as generator:
        run(work())
        assert generator.is_drained


def test_a_cancelled_caller_leaves_the_batch() -> None:
    async def work() -> None:
        task = asyncio.create_task(one(generator, a_prompt(1), max_new_tokens=1_000_000))
        await until(lambda: generator.n_running == 1)
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: generator.n_running == 0)

    with running(FakeGenerationModel(), max_cached_tokens=10**8) as generator:
        run(work())


def test_a_deadline_ends_a_row_between_two_steps() -> None:
    async def work() -> None:
        await generator.generate(
            [a_prompt(1)],
            GenerationOptions(max_new_tokens=1_000_000),
            deadline=time.monotonic() + 0.05,
        )

    with running(FakeGenerationModel(), max_cached_tokens=10**8) as generator:
        with pytest.raises(DeadlineExceeded):
            run(work())
        run(until(lambda: generator.n_running == 0))
        with pytest.raises(DeadlineExceeded):
            run(generator.generate([a_prompt(1)], deadline=0.0))


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    async def work() -> None:
        tasks = [asyncio.create_task(one(generator, a_prompt(1)))]
        await until(model.entered.is_set)
        tasks += [asyncio.create_task(one(generator, a_prompt(n))) for n in (2, 3)]
        await until(lambda: generator.depth == 2)
        with pytest.raises(QueueFull) as caught:
            await one(generator, a_prompt(4))
        assert caught.value.retry_after_s >= 0.1
        gate.set()
        await asyncio.gather(*tasks)

    gate = threading.Event()
    model = FakeGenerationModel(gate=gate)
    with running(model, max_rows=1, max_queue=2) as generator:
        run(work())


def test_jobs_leave_part_of_the_queue_to_people_and_go_after_them() -> None:
    async def work() -> None:
        async def ask(n: int, priority: Priority) -> None:
            await generator.generate([a_prompt(n)], deadline=soon(), priority=priority)

        first = asyncio.create_task(ask(1, Priority.INTERACTIVE))
        await until(model.entered.is_set)
        job = asyncio.create_task(ask(2, Priority.JOB))
        await until(lambda: generator.depth == 1)
        with pytest.raises(QueueFull):
            await ask(3, Priority.JOB)
        person = asyncio.create_task(ask(4, Priority.INTERACTIVE))
        await until(lambda: generator.depth == 2)
        gate.set()
        await asyncio.gather(first, job, person)

    gate = threading.Event()
    model = FakeGenerationModel(gate=gate)
    with running(model, max_rows=1, max_queue=2, max_age_s=WAIT_S) as generator:
        run(work())
    starts = [first for kind, (first, *_) in model.passes if kind == "prefill"]
    assert starts == [1, 4, 2]


def test_what_never_fits_is_refused_at_once() -> None:
    with running(FakeGenerationModel(), max_cached_tokens=100, max_sequences=2) as generator:
        with pytest.raises(TextTooLong, match="100"):
            run(one(generator, a_prompt(1, 90)))
        with pytest.raises(TooManyInputs, match="2"):
            run(generator.generate([a_prompt(1)] * 3, deadline=soon()))
        with pytest.raises(ValueError, match="finite"):
            run(generator.generate([a_prompt(1)], deadline=float("nan")))
        assert run(generator.generate([], deadline=soon())) == []


def guilty(kind: str, error: Callable[[], BaseException]) -> Any:
    def script(pass_kind: str, rows: Any) -> BaseException | None:
        is_hit = pass_kind == kind and any(row.plan.prompt.ids[0] == 13 for row in rows)
        return error() if is_hit else None

    return script


@pytest.mark.parametrize("kind", ["prefill", "step"])
@pytest.mark.parametrize("can_merge", [True, False])
def test_a_failing_pass_fails_only_the_guilty_row(kind: str, can_merge: bool) -> None:
    async def work() -> list[Any]:
        prompts = [a_prompt(n) for n in range(10, 18)]
        return await generator.generate(prompts, deadline=soon())

    model = FakeGenerationModel(
        can_merge=can_merge, script=guilty(kind, lambda: RuntimeError("poison"))
    )
    with running(model) as generator:
        outcomes = run(work())
        alone = run(one(generator, a_prompt(12)))
    assert [isinstance(each, InputFailed) for each in outcomes] == [n == 3 for n in range(8)]
    assert outcomes[2][0].text == alone.text
    assert str(outcomes[3].__cause__) == "poison"


def test_a_failed_row_is_an_event_and_the_others_go_on() -> None:
    model = FakeGenerationModel(script=guilty("step", lambda: RuntimeError("poison")))
    with running(model) as generator:
        events = run(read(generator, a_prompt(1), a_prompt(13), max_new_tokens=3))
    (failed,) = [each for each in events if isinstance(each, FailedEvent)]
    assert (failed.index, type(failed.error)) == (1, InputFailed)
    assert [each.index for each in events if isinstance(each, FinishEvent)] == [0]


def test_a_failure_that_is_no_inputs_is_everybodys() -> None:
    model = FakeGenerationModel(script=guilty("step", lambda: ModelNotReady("gone")))
    with running(model) as generator:
        outcomes = run(generator.generate([a_prompt(1), a_prompt(13)], deadline=soon()))
    assert [type(each) for each in outcomes] == [ModelNotReady, ModelNotReady]


def test_a_dead_thread_fails_its_callers_and_restarts() -> None:
    model = FakeGenerationModel(script=guilty("step", lambda: SystemExit("dead")))
    with running(model) as generator:
        for _ in range(2):
            with pytest.raises(LaneFailed):
                run(one(generator, a_prompt(13)))
            assert len(run(one(generator, a_prompt(1))).text) == 20
        run(until(lambda: generator.is_healthy))


def test_a_slow_reader_pauses_alone_and_goes_on_when_it_reads() -> None:
    async def work() -> list[Event]:
        options = GenerationOptions(max_new_tokens=100)
        stream = generator.stream([a_prompt(1)], options, deadline=soon())
        for n in range(2, 8):
            await one(generator, a_prompt(n), max_new_tokens=50)
        sent = stream._subscription.n_unread
        assert 8 <= sent <= 10
        return [event async for event in stream]

    for can_merge in (True, False):
        model = FakeGenerationModel(can_merge=can_merge)
        with running(model, max_buffered_events=8) as generator:
            *tokens, last = run(work())
            whole = run(one(generator, a_prompt(1), max_new_tokens=100))
        assert "".join(each.text for each in tokens) == last.text == whole.text


def test_who_never_reads_is_cancelled() -> None:
    async def work() -> None:
        options = GenerationOptions(max_new_tokens=100)
        stream = generator.stream([a_prompt(1)], options, deadline=soon())
        await until(lambda: stream._subscription.is_closed)
        assert stream._subscription.n_unread <= 10
        with pytest.raises(RequestCancelled, match="Nobody read"):
            [event async for event in stream]
        await until(lambda: generator.is_drained)

    with running(FakeGenerationModel(), max_buffered_events=8, max_stall_s=0.01) as generator:
        run(work())


def test_several_event_loops_share_one_generator() -> None:
    texts: dict[int, str] = {}

    def ask(n: int) -> None:
        texts[n] = run(one(generator, a_prompt(n))).text

    with running(FakeGenerationModel()) as generator:
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert texts == {n: run(one(generator, a_prompt(n))).text for n in range(1, 6)}


def test_beams_run_beside_the_loop_and_cannot_be_streamed() -> None:
    with running(FakeGenerationModel()) as generator:
        beam = run(one(generator, a_prompt(1), num_beams=4))
        assert (beam.text, beam.finish_reason, beam.logprobs) == ("beam", "length", ())
        with pytest.raises(InvalidRequest, match="num_beams"):
            run(read(generator, a_prompt(1), num_beams=4))


def test_a_failing_beam_search_fails_only_the_guilty_prompt() -> None:
    def script(kind: str, rows: Any) -> BaseException | None:
        return RuntimeError("poison") if any(r.plan.prompt.ids[0] == 13 for r in rows) else None

    with running(FakeGenerationModel(script=script)) as generator:
        outcomes = run(
            generator.generate(
                [a_prompt(1), a_prompt(13), a_prompt(2)],
                GenerationOptions(num_beams=2),
                deadline=soon(),
            )
        )
    assert [isinstance(each, InputFailed) for each in outcomes] == [False, True, False]


def test_a_search_that_sees_its_deadline_pass_says_so() -> None:
    model = FakeGenerationModel(script=guilty("beam", lambda: DeadlineExceeded("late")))
    with running(model) as generator, pytest.raises(DeadlineExceeded, match="late"):
        run(one(generator, a_prompt(13), num_beams=2))


def test_closing_finishes_what_runs_and_refuses_what_comes() -> None:
    async def work() -> str:
        task = asyncio.create_task(one(generator, a_prompt(1), max_new_tokens=300))
        await until(model.entered.is_set)
        generator.refuse()
        with pytest.raises(ShuttingDown):
            await one(generator, a_prompt(2))
        gate.set()
        assert await asyncio.to_thread(generator.close, WAIT_S)
        return (await task).text

    gate = threading.Event()
    model = FakeGenerationModel(gate=gate)
    generator = Generator(model)
    generator.start()
    assert len(run(work())) == 300
    assert not generator.is_healthy
    with pytest.raises(RuntimeError, match="starts once"):
        generator.start()


def test_what_is_left_when_time_is_up_fails_with_shutting_down() -> None:
    async def work() -> None:
        running = asyncio.create_task(one(generator, a_prompt(1), max_new_tokens=1_000_000))
        await until(lambda: generator.n_running == 1)
        waiting = asyncio.create_task(one(generator, a_prompt(2)))
        await until(lambda: generator.depth == 1)
        assert not await asyncio.to_thread(generator.close, 0.01)
        for task in (running, waiting):
            with pytest.raises(ShuttingDown):
                await task

    limits = GenerationLimits(max_cached_tokens=10**8, max_rows=1)
    generator = Generator(FakeGenerationModel(), limits)
    generator.start()
    run(work())


def test_a_generator_that_never_started_refuses() -> None:
    generator = Generator(FakeGenerationModel())
    with pytest.raises(ShuttingDown):
        run(one(generator, a_prompt(1)))
    assert not generator.close(0.01)


def test_caches_are_bounded_by_what_the_limits_say() -> None:
    with running(FakeGenerationModel(), max_cached_tokens=1234) as generator:
        assert generator.max_cache_bytes == 1234
        assert run(generator.wait_drained(timeout_s=1))
