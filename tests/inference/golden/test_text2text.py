"""Summaries, translations and other rewritten texts equal those of transformers 4.57."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.generation.generator import GenerationOptions, Generator, Prompt
from inference.generation.prompts import PromptBuilder
from inference.runtimes.generating.loading import load_generator
from inference.runtimes.ports import Placement
from tests.inference.golden.record_pipelines import MODELS, save_model

RECORDED = json.loads((Path(__file__).parent / "text2text.json").read_text(encoding="utf-8"))
CPU = Placement(device="cpu", dtype="float32", n_cores=1)


@pytest.fixture(scope="module")
def machines(tmp_path_factory) -> Iterator[dict[str, tuple[PromptBuilder, Generator]]]:
    made = {}
    for name in MODELS:
        loaded = load_generator(save_model(name, tmp_path_factory.mktemp(name)), CPU)
        made[name] = loaded.prompts, Generator(loaded.model)
        made[name][1].start()
    yield made
    for _, generator in made.values():
        generator.close(5)


def prompt_of(prompts: PromptBuilder, text: str, task: str) -> Prompt:
    if task.startswith("translation"):
        return prompts.translation(text, task=task)
    return prompts.text(text, task=task)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case['model']}-{case['task']}-{at}")
        for at, case in enumerate(RECORDED["cases"])
    ],
)
def test_every_text_equals_the_recorded_one(machines: Any, case: dict[str, Any]) -> None:
    prompts, generator = machines[case["model"]]
    options = GenerationOptions(**case["parameters"])

    async def ask(text: str) -> Any:
        prompt = prompt_of(prompts, text, case["task"])
        return await generator.generate([prompt], options, deadline=time.monotonic() + 60)

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*(ask(text) for text in RECORDED["texts"]))

    answers = [outcome[0].text for (outcome,) in asyncio.run(ask_all())]
    # The pipelines for summaries and translations strip nothing; nor do we.
    assert answers == case["outputs"]


def test_the_recording_is_of_the_version_that_it_names() -> None:
    assert RECORDED["transformers"].startswith("4.57.")
