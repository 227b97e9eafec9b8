"""Texts longer than the model reads, through a real generator."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from inference.errors import InvalidRequest, TextTooLong
from inference.generation.generator import GenerationOptions
from inference.generation.longtexts import LongAnswer, answer_long
from tests.inference.generation.conftest import Machine
from tests.inference.tiny_generators import POSITIONS

Make = Callable[..., Machine]
LONG = "\n\n".join(
    " ".join(f"Sentence {n} of paragraph {m} is here." for n in range(6)) for m in range(4)
)


def answer(one: Machine, text: str, kind: Any, **more: Any) -> LongAnswer:
    options = GenerationOptions(max_new_tokens=10, num_beams=1)
    return asyncio.run(
        answer_long(
            one.generator,
            one.prompts,
            text,
            options,
            kind=kind,
            deadline=time.monotonic() + 60,
            **more,
        )
    )


def test_a_text_that_fits_is_answered_at_once(machine: Make) -> None:
    bart = machine("bart")
    got = answer(bart, "The flock", "summarization")
    assert (got.n_chunks, got.levels) == (1, 1)
    alone = bart.ask(bart.prompts.text("The flock"), max_new_tokens=10, num_beams=1)
    assert got.text == alone.text.strip()
    assert got.n_tokens == alone.n_tokens


def test_a_long_text_is_summarised_in_levels(machine: Make) -> None:
    bart = machine("bart")
    with pytest.raises(TextTooLong):
        bart.prompts.text(LONG)
    got = answer(bart, LONG, "summarization")
    assert got.n_chunks > 4
    assert got.levels >= 2
    assert got.n_prompt_tokens > POSITIONS


def test_a_long_translation_keeps_its_paragraphs(machine: Make) -> None:
    t5 = machine("t5", limits={"max_prompt_tokens": 64})
    got = answer(t5, LONG, "translation")
    assert got.levels == 1
    assert got.text.count("\n\n") >= 3


def test_the_error_of_a_piece_is_the_texts(machine: Make) -> None:
    bart = machine("bart")
    options = GenerationOptions(max_new_tokens=5000)
    with pytest.raises(InvalidRequest, match="max_new_tokens"):
        asyncio.run(
            answer_long(
                bart.generator,
                bart.prompts,
                LONG,
                options,
                kind="summarization",
                deadline=time.monotonic() + 60,
            )
        )
