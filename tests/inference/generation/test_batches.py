"""Real caches under everything that happens to a batch: failures half way, comings and goings."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.errors import InputFailed
from inference.generation.generator import GenerationOptions, Generator, TokenEvent
from inference.runtimes.generating.loading import load_generator
from inference.runtimes.ports import Placement
from tests.inference.generation.conftest import Machine
from tests.inference.generation.test_parity import ENDS, TEXTS
from tests.inference.tiny_generators import save_generator

Make = Callable[..., Machine]
GREEDY = {"do_sample": False, "num_beams": 1}


def first_layer(raw: Any) -> torch.nn.Module:
    """The decoder's first layer: when it has run, its cache has grown and the others' have not."""
    layer: torch.nn.Module = (
        raw.model.decoder.layers[0] if raw.config.is_encoder_decoder else raw.transformer.h[0]
    )
    return layer


@contextmanager
def failing(raw: Any, is_hit: Callable[[torch.Tensor], bool]) -> Iterator[None]:
    """Let passes fail after the first layer, by its output [rows, new, hidden]."""

    def hook(module: Any, inputs: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        if is_hit(states):
            raise RuntimeError("out of memory")

    handle = first_layer(raw).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("family", ["gpt2", "bart"])
def test_rows_that_do_not_fit_together_are_answered_apart(machine: Make, family: str) -> None:
    one = machine(family, generation=ENDS, limits={"max_cohorts": 8})
    prompts = [one.prompts.text(text) for text in TEXTS]
    options = [{"max_new_tokens": n, **GREEDY} for n in (9, 14, 5, 20, 11, 8, 3, 16)]
    expected = [one.expected(p, **o) for p, o in zip(prompts, options, strict=True)]
    with failing(one.raw, lambda states: len(states) > 2):
        got = one.ask_all(prompts, options)
    assert [list(each.token_ids) for each in got] == expected


def test_a_row_on_which_the_model_always_fails_leaves_the_others_unharmed(machine: Make) -> None:
    gpt2 = machine("gpt2", generation=ENDS)
    prompts = [gpt2.prompts.text(text) for text in TEXTS[:5]]
    options = {"max_new_tokens": 12, **GREEDY}
    expected = [gpt2.expected(prompt, **options) for prompt in prompts]
    seen: list[torch.Tensor] = []
    # The first layer's output after this prompt's third token: another text has none alike.
    with failing(gpt2.raw, lambda states: bool(seen.append(states.clone()))):
        gpt2.expected(prompts[0], **{**options, "max_new_tokens": 4})
    mark = seen[3][0, -1]

    def is_hit(states: torch.Tensor) -> bool:
        return bool((states[:, -1] - mark).abs().amax(dim=-1).lt(1e-4).any())

    async def work() -> list[Any]:
        return await gpt2.generator.generate(
            prompts, GenerationOptions(**options), deadline=time.monotonic() + 60
        )

    with failing(gpt2.raw, is_hit):
        outcomes = asyncio.run(work())
    assert isinstance(outcomes[0], InputFailed)
    assert [list(each[0].token_ids) for each in outcomes[1:]] == expected[1:]


@pytest.mark.parametrize("family", ["gpt2", "mistral", "t5"])
def test_comings_and_goings_change_nobodys_text(machine: Make, family: str) -> None:
    one = machine(family, generation=ENDS, limits={"max_rows": 6, "max_cohorts": 3})
    chance = random.Random(0)
    prompts = [one.prompts.text(chance.choice(TEXTS) + f" {at}") for at in range(24)]
    lengths = [chance.randrange(1, 30) for _ in prompts]
    leaves = [chance.random() < 0.3 for _ in prompts]
    pauses = [chance.random() * 0.2 for _ in prompts]

    async def ask(at: int) -> list[int]:
        await asyncio.sleep(pauses[at])
        options = GenerationOptions(max_new_tokens=lengths[at], **GREEDY)
        ids: list[int] = []
        stream = one.generator.stream([prompts[at]], options, deadline=time.monotonic() + 60)
        async with stream:
            async for event in stream:
                if isinstance(event, TokenEvent):
                    ids.append(event.token_id)
                if leaves[at] and len(ids) == 3:
                    break
        return ids

    async def ask_all() -> list[list[int]]:
        return await asyncio.gather(*map(ask, range(len(prompts))))

    for at, ids in enumerate(asyncio.run(ask_all())):
        expected = one.expected(prompts[at], max_new_tokens=lengths[at], **GREEDY)
        assert ids == (expected[:3] if leaves[at] else expected)
    assert one.generator.is_drained


def test_weights_in_half_precision_give_whole_texts(tmp_path: Path) -> None:
    half = Placement(device="cpu", dtype="bfloat16", n_cores=1)
    loaded = load_generator(save_generator(tmp_path, "llama"), half)
    generator = Generator(loaded.model)
    generator.start()
    prompts = [loaded.prompts.text(text) for text in TEXTS[:3]]
    options = GenerationOptions(max_new_tokens=5, min_new_tokens=5, do_sample=True, seed=1)
    try:
        outcomes = asyncio.run(generator.generate(prompts, options, deadline=time.monotonic() + 60))
    finally:
        generator.close(5)
    assert [each[0].n_tokens for each in outcomes if isinstance(each, tuple)] == [5, 5, 5]
