"""A version that writes, as a runtime: threads of its own make the text, no lane waits for it."""

import asyncio
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from inference.engine.limits import Priority
from inference.errors import InferenceError, TextTooLong
from inference.gathering import Gathered
from inference.generation.events import (
    FailedEvent,
    FinishEvent,
    Generated,
    Outcome,
    TokenEvent,
)
from inference.generation.generator import GenerationOptions, Generator
from inference.generation.longtexts import answer_long
from inference.predictor import Predictor
from inference.runtimes.ports import Placement
from inference.tasks.ports import Encoded, Forwarded
from inference.tasks.writing import Brief, TaskName, Writing, Written, written
from registry.specs import VersionSpec

CLOSE_S = 30.0
PROBE_S = 60.0
PROBE = GenerationOptions(max_new_tokens=8, do_sample=False, num_beams=1)


class WritingRuntime:
    """A generator that ends with the last reference to this."""

    def __init__(self, generator: Generator, task: Writing) -> None:
        self.generator, self._task = generator, task
        generator.start()
        # Whoever drops the version last may be the event loop, which must not wait for threads.
        weakref.finalize(self, _close_aside, generator)

    @property
    def device(self) -> str:
        return self.generator.device

    @property
    def is_healthy(self) -> bool:
        return self.generator.is_healthy

    @property
    def is_drained(self) -> bool:
        return self.generator.is_drained

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        """A few tokens for each, likeliest first: to try the version out. Blocks; not on a loop."""
        briefs = [each for each in batch if isinstance(each, Brief)]
        return list(asyncio.run(self._probe(briefs)))

    async def write(
        self, briefs: Sequence[Brief], parameters: Any, *, deadline: float, priority: Priority
    ) -> list[Gathered]:
        """Answer every brief; raises as Generator.generate does, and an input's error with
        `details.index`.
        """
        options = parameters.options()
        prompts = [brief.prompt for brief in briefs if brief.prompt is not None]
        outcomes = iter(
            await self.generator.generate(prompts, options, deadline=deadline, priority=priority)
            if prompts
            else ()
        )
        limits = {"deadline": deadline, "priority": priority}
        return [
            _gathered(next(outcomes), at)
            if brief.prompt is not None
            else await self._write_long(brief, parameters, options, **limits)
            for at, brief in enumerate(briefs)
        ]

    async def stream(
        self,
        briefs: Sequence[Brief],
        parameters: Any,
        tell: Callable[[Any], Awaitable[None]],
        *,
        deadline: float,
        priority: Priority,
    ) -> list[Gathered]:
        """As `write`; `tell` awaits each event. Raises TextTooLong for a text that would have to be
        answered in pieces.
        """
        prompts = [brief.prompt for brief in briefs if brief.prompt is not None]
        if len(prompts) < len(briefs):
            raise TextTooLong("A text over the model's limit cannot be streamed. Shorten it.")
        started, told = time.monotonic(), Heard(briefs)
        events = self.generator.stream(
            prompts, parameters.options(), deadline=deadline, priority=priority
        )
        async with events:
            async for event in events:
                if isinstance(event, FailedEvent):
                    event.error.details.setdefault("index", event.index)
                    raise event.error
                told.hear(event, time.monotonic() - started)
                await tell(event)
        return [_gathered(outcome, at) for at, outcome in enumerate(told.outcomes())]

    async def _write_long(
        self, brief: Brief, parameters: Any, options: GenerationOptions, **limits: Any
    ) -> Gathered:
        started = time.monotonic()
        answer = await answer_long(
            self.generator,
            self._task.prompts,
            str(brief.item),
            options,
            kind="summarization" if self._task.name == "summarization" else "translation",
            src_lang=getattr(parameters, "src_lang", None),
            tgt_lang=getattr(parameters, "tgt_lang", None),
            **limits,
        )
        took_s = time.monotonic() - started
        whole = Generated(
            text=answer.text,
            token_ids=(0,) * answer.n_tokens,
            tokens=(),
            finish_reason="eos_token",
            seed=None,
            n_prompt_tokens=answer.n_prompt_tokens,
            is_truncated=False,
            queue_s=0.0,
            inference_s=took_s,
        )
        output = written((whole,), n_chunks=answer.n_chunks, levels=answer.levels)
        return Gathered((output,), 0.0, took_s, took_s)

    async def _probe(self, briefs: Sequence[Brief]) -> list[Written]:
        found: list[Written] = []
        for brief in briefs:
            prompt = brief.prompt or self._task.prompts.text(str(brief.item), truncation=True)
            (outcome,) = await self.generator.generate(
                [prompt], PROBE, deadline=time.monotonic() + PROBE_S
            )
            if isinstance(outcome, InferenceError):
                raise outcome
            found.append(written(outcome))
        return found


class Heard:
    """A stream's events, put together as what `generate` would have returned."""

    def __init__(self, briefs: Sequence[Brief]) -> None:
        self._briefs = briefs
        self._tokens: defaultdict[tuple[int, int], list[TokenEvent]] = defaultdict(list)
        self._ended: dict[tuple[int, int], FinishEvent] = {}
        self._first_s = self._last_s = 0.0

    def hear(self, event: TokenEvent | FinishEvent, at_s: float) -> None:
        """`at_s` is counted from the request."""
        self._first_s, self._last_s = self._first_s or at_s, at_s
        place = event.index, event.sequence
        if isinstance(event, FinishEvent):
            self._ended[place] = event
        else:
            self._tokens[place].append(event)

    def outcomes(self) -> list[tuple[Generated, ...]]:
        places = sorted(self._ended)
        return [
            tuple(self._generated(place) for place in places if place[0] == index)
            for index in range(len(self._briefs))
        ]

    def _generated(self, place: tuple[int, int]) -> Generated:
        tokens, end, brief = self._tokens[place], self._ended[place], self._briefs[place[0]]
        return Generated(
            text=end.text,
            token_ids=tuple(token.token_id for token in tokens),
            tokens=tuple(tokens),
            finish_reason=end.finish_reason,
            seed=end.seed,
            n_prompt_tokens=brief.n_tokens,
            is_truncated=brief.truncated,
            queue_s=self._first_s,
            inference_s=self._last_s - self._first_s,
        )


def load(spec: VersionSpec, placement: Placement) -> Predictor:
    """Load a version that writes; takes seconds. Raises as `load_generator` does."""
    from inference.runtimes.generating.loading import load_generator

    loaded = load_generator(spec.view, placement)
    task = Writing(cast(TaskName, spec.task), loaded.prompts)
    generator = Generator(loaded.model, name=f"{spec.model}-v{spec.number}")
    return Predictor(spec=spec, task=task, runtime=WritingRuntime(generator, task))


def _gathered(outcome: Outcome, index: int) -> Gathered:
    if isinstance(outcome, InferenceError):
        outcome.details.setdefault("index", index)
        raise outcome
    first = outcome[0]
    return Gathered((written(outcome),), first.queue_s, first.inference_s, first.inference_s)


def _close_aside(generator: Generator) -> None:
    threading.Thread(
        target=generator.close, args=(CLOSE_S,), name="close-generator", daemon=True
    ).start()
