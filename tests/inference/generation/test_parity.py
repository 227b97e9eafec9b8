"""What the shared loop makes equals what `model.generate` makes of each prompt alone."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from inference.errors import DeadlineExceeded, InvalidRequest, TextTooLong
from inference.generation.generator import GenerationOptions, TokenEvent
from inference.generation.ports import BeamInput
from tests.inference.generation.conftest import Machine
from tests.inference.tiny_generators import CAUSAL, EOS, POSITIONS, SEQ2SEQ

TEXTS = [
    "The bellwether leads",
    "x",
    "A model that makes text reads what it has made and goes on from there. Nobody knows how",
    "שלום עולם",
    "🐑🐏",
    "Привет, мир",
    "Numbers 0 1 2 3",
    "weather tomorrow; today",
]
# Several end tokens, so that rows leave at different times.
ENDS = {"eos_token_id": [EOS, *range(300, 320)]}
Make = Callable[..., Machine]


def check(machine: Machine, options: list[dict[str, Any]], **always: Any) -> None:
    prompts = [machine.prompts.text(text) for text in TEXTS[: len(options)]]
    options = [{**always, **each} for each in options]
    shared = machine.ask_all(prompts, options)
    for prompt, each, got in zip(prompts, options, shared, strict=True):
        expected = machine.expected(prompt, **each)
        assert list(got.token_ids) == expected, (prompt, each)
        eos = machine.raw.generation_config.eos_token_id
        ended = expected[-1] in (eos if isinstance(eos, list) else [eos])
        assert got.finish_reason == ("eos_token" if ended else "length")


@pytest.mark.parametrize("family", [*CAUSAL, *SEQ2SEQ])
def test_greedy_rows_that_join_at_other_times_equal_generate(machine: Make, family: str) -> None:
    greedy = {"do_sample": False, "num_beams": 1}
    lengths = (24, 3, 30, 12, 24, 7, 18, 1)
    check(machine(family, generation=ENDS), [{"max_new_tokens": n, **greedy} for n in lengths])


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gemma3_text"])
def test_prompts_longer_than_the_window_equal_generate(machine: Make, family: str) -> None:
    one = machine(family, generation=ENDS)
    window = one.raw.config.sliding_window
    prompts = [one.prompts.text(text) for text in (TEXTS[2], "x", TEXTS[0] * 2)]
    assert prompts[0].n_tokens > 2 * window
    options = [{"max_new_tokens": n, "do_sample": False} for n in (2 * window, 5, 20)]
    for prompt, each, got in zip(prompts, options, one.ask_all(prompts, options), strict=True):
        assert list(got.token_ids) == one.expected(prompt, **each)


@pytest.mark.parametrize("family", ["gpt2", "llama", "bart", "t5"])
def test_one_batch_serves_rows_of_different_options(machine: Make, family: str) -> None:
    check(
        machine(family, generation=ENDS),
        [
            {"min_new_tokens": 10},
            {"repetition_penalty": 1.8},
            {"no_repeat_ngram_size": 2},
            {"min_new_tokens": 6, "no_repeat_ngram_size": 1, "repetition_penalty": 0.7},
            {},
            {"repetition_penalty": 3.0, "min_new_tokens": 15},
        ],
        max_new_tokens=20,
    )


@pytest.mark.parametrize("family", ["gpt2", "bart"])
def test_lengths_in_all_mean_what_they_mean_to_generate(machine: Make, family: str) -> None:
    check(
        machine(family, generation=ENDS),
        [{"max_length": 40, "min_length": 38}, {"max_length": 9}, {"max_length": 60}],
    )


@pytest.mark.parametrize("family", ["gpt2", "llama", "t5", "bart", "mbart"])
def test_beams_equal_generate(machine: Make, family: str) -> None:
    prompts = len(TEXTS)
    check(
        machine(family, generation=ENDS),
        [{"num_beams": 4}] * prompts,
        max_new_tokens=12,
    )
    check(
        machine(family, generation=ENDS),
        [
            {"length_penalty": 2.0},
            {"early_stopping": True},
            {"no_repeat_ngram_size": 2},
            {"min_new_tokens": 5, "length_penalty": 0.0},
        ],
        num_beams=3,
        max_new_tokens=10,
    )


def test_all_beams_that_are_asked_for_come_best_first(machine: Make) -> None:
    t5 = machine("t5")
    prompt = t5.prompts.text(TEXTS[0])
    options = {"num_beams": 4, "num_return_sequences": 3, "max_new_tokens": 8}
    (found,) = asyncio.run(
        t5.generator.generate(
            [prompt], GenerationOptions(**options), deadline=time.monotonic() + 60
        )
    )
    made = t5.raw.generate(
        input_ids=torch.tensor([prompt.ids]), attention_mask=None, **options
    ).tolist()
    assert isinstance(found, tuple)
    assert len(found) == 3
    for got, row in zip(found, made, strict=True):
        assert list(got.token_ids) == row[1 : 1 + got.n_tokens]


@pytest.mark.parametrize("family", ["gpt2", "t5"])
@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0.7},
        {"top_k": 5},
        {"top_p": 0.8, "temperature": 1.5},
        {"typical_p": 0.6},
        {"repetition_penalty": 1.4, "top_k": 20, "no_repeat_ngram_size": 3},
    ],
)
def test_a_seed_draws_what_generate_draws_whoever_shares_the_batch(
    machine: Make, family: str, sampling: dict[str, Any]
) -> None:
    one = machine(family, generation=ENDS)
    prompts = [one.prompts.text(text) for text in TEXTS]
    options = {"do_sample": True, "max_new_tokens": 16, **sampling}
    shared = one.ask_all(prompts, [{**options, "seed": at} for at in range(len(prompts))])
    for at, (prompt, got) in enumerate(zip(prompts, shared, strict=True)):
        torch.manual_seed(at)
        assert list(got.token_ids) == one.expected(prompt, **options)
        assert got.seed == at
    again = one.ask(prompts[2], **options, seed=2)
    assert again.token_ids == shared[2].token_ids


def test_settings_of_the_directory_are_the_defaults(machine: Make) -> None:
    generation = {
        "max_new_tokens": 9,
        "forced_bos_token_id": 77,
        "forced_eos_token_id": EOS,
        "suppress_tokens": [88, 89],
        "begin_suppress_tokens": [90],
        "bad_words_ids": [[91], [92, 93]],
        "no_repeat_ngram_size": 2,
        "num_beams": 3,
    }
    bart = machine("bart", generation=generation)
    prompt = bart.prompts.text(TEXTS[0])
    beam = bart.ask(prompt)
    assert list(beam.token_ids) == bart.expected(prompt, max_new_tokens=9)
    assert (beam.token_ids[0], beam.token_ids[-1], beam.n_tokens) == (77, EOS, 9)
    greedy = bart.ask(prompt, num_beams=1)
    assert list(greedy.token_ids) == bart.expected(prompt, max_new_tokens=9, num_beams=1)
    assert len(greedy.logprobs) == greedy.n_tokens


def test_without_any_length_there_are_twenty_new_tokens(machine: Make) -> None:
    for family in ("gpt2", "t5"):
        one = machine(family)
        prompt = one.prompts.text(TEXTS[2])
        got = one.ask(prompt)
        assert list(got.token_ids) == one.expected(prompt, max_new_tokens=20)


def test_rows_that_run_at_the_same_time_share_forwards(machine: Make) -> None:
    for family, share in (("gpt2", 0.5), ("bart", 0.75)):
        one = machine(family)
        prompts = [one.prompts.text(text) for text in TEXTS]
        n_before = one.generator.n_steps
        got = one.ask_all(prompts, [{"max_new_tokens": 30}] * len(prompts))
        assert one.generator.n_steps - n_before < share * sum(each.n_tokens for each in got)


def test_a_text_ends_where_the_models_positions_end(machine: Make) -> None:
    gpt2 = machine("gpt2")
    prompt = gpt2.prompts.text("bellwether " * 60, truncation=True)
    assert prompt.is_truncated
    assert prompt.n_tokens == gpt2.prompts.max_tokens == POSITIONS - 1
    got = gpt2.ask(prompt, max_new_tokens=30)
    assert (got.n_tokens, got.finish_reason, got.is_truncated) == (1, "length", True)
    with pytest.raises(TextTooLong, match="truncation"):
        gpt2.prompts.text("bellwether " * 60)


def test_a_long_source_fills_the_encoder_to_its_last_position(machine: Make) -> None:
    bart = machine("bart", generation=ENDS)
    prompt = bart.prompts.text("bellwether " * 60, truncation=True)
    assert prompt.n_tokens == POSITIONS
    assert prompt.ids[-1] == EOS
    got = bart.ask(prompt, max_new_tokens=20)
    assert list(got.token_ids) == bart.expected(prompt, max_new_tokens=20)


def test_logprobs_are_the_models_own(machine: Make) -> None:
    gpt2 = machine("gpt2")
    prompt = gpt2.prompts.text(TEXTS[0])
    got = gpt2.ask(prompt, max_new_tokens=5, repetition_penalty=2.0)
    ids = torch.tensor([[*prompt.ids, *got.token_ids]])
    with torch.inference_mode():
        logprobs = gpt2.raw(ids).logits.log_softmax(-1)[0, prompt.n_tokens - 1 : -1]
    own = logprobs[range(5), list(got.token_ids)].tolist()
    assert got.logprobs == pytest.approx(own, abs=1e-3)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_length": 2}, "max_length"),
        ({"max_new_tokens": 5000}, "max_new_tokens"),
        ({"num_beams": 9}, "num_beams"),
        ({"num_return_sequences": 2}, "num_return_sequences"),
        ({"num_beams": 2, "num_return_sequences": 3}, "num_return_sequences"),
        ({"length_penalty": 2.0}, "length_penalty"),
        ({"early_stopping": True}, "early_stopping"),
        ({"min_new_tokens": 95}, "min_new_tokens"),
    ],
)
def test_what_the_model_cannot_do_names_the_field(
    machine: Make, options: dict[str, Any], field: str
) -> None:
    gpt2 = machine("gpt2")
    with pytest.raises(InvalidRequest) as caught:
        gpt2.ask(gpt2.prompts.text(TEXTS[2]), **options)
    assert caught.value.details["field"] == f"parameters.{field}"


def test_a_search_that_nobody_waits_for_ends_at_its_next_step(machine: Make) -> None:
    bart = machine("bart")
    options = GenerationOptions(num_beams=4, max_new_tokens=50)
    plan = bart.model.plan(bart.prompts.text(TEXTS[0]), options, is_streaming=False)
    n_looks: list[int] = []

    def is_awaited() -> bool:
        n_looks.append(1)
        return len(n_looks) < 3

    with pytest.raises(DeadlineExceeded):
        bart.model.beam([BeamInput(plan, is_awaited)])
    assert len(n_looks) == 3


def test_a_stream_keeps_one_beam_where_a_default_has_more(machine: Make) -> None:
    bart = machine("bart", generation={"num_beams": 4, "max_new_tokens": 6})
    prompt = bart.prompts.text(TEXTS[0])

    async def read() -> list[int]:
        stream = bart.generator.stream([prompt], deadline=time.monotonic() + 60)
        return [event.token_id async for event in stream if isinstance(event, TokenEvent)]

    assert asyncio.run(read()) == bart.expected(prompt, num_beams=1, max_new_tokens=6)
