"""Summaries and translations of texts of any length, through one generator."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from inference.engine.limits import Priority
from inference.errors import InferenceError
from inference.generation.chunking import answer_chunks, summarise
from inference.generation.events import Generated
from inference.generation.generator import Generator
from inference.generation.options import GenerationOptions
from inference.generation.ports import Prompt
from inference.generation.prompts import PromptBuilder

AT_ONCE = 8
"""Pieces of one text that are asked for at the same time, so that it does not fill the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongAnswer:
    """`n_chunks` and `levels`: see `ChunkedAnswer`; tokens are those of all pieces and levels."""

    text: str
    n_chunks: int
    levels: int
    n_prompt_tokens: int
    n_tokens: int


async def answer_long(
    generator: Generator,
    prompts: PromptBuilder,
    text: str,
    options: GenerationOptions,
    *,
    kind: Literal["summarization", "translation"],
    deadline: float,
    priority: Priority = Priority.INTERACTIVE,
    task: str | None = None,
    src_lang: str | None = None,
    tgt_lang: str | None = None,
) -> LongAnswer:
    """Answer a text that may be longer than the model reads.

    `task` is what the model's config calls it, `kind` where it is not given. Takes the first
    sequence where several are asked for. Raises what `Generator.generate` and `PromptBuilder`
    raise, the error of a piece for all of it, TextTooLong for too many pieces.
    """
    done: list[Generated] = []
    gate = asyncio.Semaphore(AT_ONCE)
    make = partial(prompts.text, task=task or kind)
    if kind == "translation":
        make = partial(prompts.translation, src_lang=src_lang, tgt_lang=tgt_lang, task=task)

    async def ask_one(piece: str) -> str:
        async with gate:
            prompt: Prompt = make(piece, truncation=options.truncation)
            (outcome,) = await generator.generate(
                [prompt], options, deadline=deadline, priority=priority
            )
        if isinstance(outcome, InferenceError):
            raise outcome
        done.append(outcome[0])
        return outcome[0].text

    async def ask(pieces: Sequence[str]) -> list[str]:
        try:
            async with asyncio.TaskGroup() as tasks:
                asked = [tasks.create_task(ask_one(piece)) for piece in pieces]
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return [task.result() for task in asked]

    through = summarise if kind == "summarization" else answer_chunks
    answer = await through(text, ask, prompts.count_tokens, prompts.room(make("x").task))
    return LongAnswer(
        text=answer.text,
        n_chunks=answer.n_chunks,
        levels=answer.levels,
        n_prompt_tokens=sum(each.n_prompt_tokens for each in done),
        n_tokens=sum(each.n_tokens for each in done),
    )
