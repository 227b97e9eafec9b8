"""Real tiny models, loaded once, behind a generator."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.generation.generator import (
    Generated,
    GenerationLimits,
    GenerationOptions,
    Generator,
    Prompt,
)
from inference.runtimes.generating.loading import LoadedGenerator, load_generator
from inference.runtimes.ports import Placement
from tests.inference.tiny_generators import save_generator

CPU = Placement(device="cpu", dtype="float32", n_cores=1)


class Machine:
    """A loaded model, its generator, and what transformers itself makes of the same prompt."""

    def __init__(self, loaded: LoadedGenerator, limits: GenerationLimits) -> None:
        self.prompts = loaded.prompts
        self.model = loaded.model
        self.raw: Any = loaded.model._model
        self.generator = Generator(loaded.model, limits)

    def ask(self, prompt: Prompt, **options: Any) -> Generated:
        return self.ask_all([prompt], [options])[0]

    def ask_all(self, prompts: list[Prompt], options: list[dict[str, Any]]) -> list[Generated]:
        """Ask together; each request comes a few steps after the one before."""

        async def one(at: int) -> Generated:
            n_before = self.generator.n_steps
            while at and self.generator.n_steps < n_before + 3 * at:
                await asyncio.sleep(0.0005)
                if self.generator.is_drained:
                    break
            (outcome,) = await self.generator.generate(
                [prompts[at]], GenerationOptions(**options[at]), deadline=time.monotonic() + 60
            )
            assert isinstance(outcome, tuple), outcome.__cause__
            return outcome[0]

        async def all_of_them() -> list[Generated]:
            return await asyncio.gather(*(one(at) for at in range(len(prompts))))

        return asyncio.run(all_of_them())

    def expected(self, prompt: Prompt, **options: Any) -> list[int]:
        """Token ids that `model.generate` adds to this prompt alone, up to the end token."""
        ids = torch.tensor([prompt.ids])
        with torch.inference_mode():
            made = self.raw.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)[
                0
            ].tolist()
        return made[1:] if self.raw.config.is_encoder_decoder else made[len(prompt.ids) :]


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Machine]]:
    """Give the machine of a family; equal arguments share one."""
    made: dict[str, Machine] = {}

    def make(family: str = "gpt2", limits: dict[str, Any] | None = None, **more: Any) -> Machine:
        key = repr((family, limits, sorted(more.items())))
        if key not in made:
            directory: Path = tmp_path_factory.mktemp(family)
            save_generator(directory, family, **more)
            chosen = GenerationLimits(**(limits or {}))
            made[key] = Machine(load_generator(directory, CPU, chosen), chosen)
            made[key].generator.start()
        return made[key]

    yield make
    for each in made.values():
        each.generator.close(5)
