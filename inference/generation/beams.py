"""Beam search beside the step loop: batches of equal options on a thread of their own.

It runs on an engine like any other forward pass (bounded queue, deadlines, halving, restart); a
pass is a whole search, and a search that nobody waits for any more ends at its next step.
"""

import asyncio
import weakref
from collections.abc import Callable, Sequence

from inference.engine.engine import Answered, Engine, EngineLimits, Priority
from inference.engine.observer import Observer
from inference.errors import DeadlineExceeded, InferenceError
from inference.generation.events import Generated, Outcome
from inference.generation.limits import GenerationLimits
from inference.generation.ports import BeamInput, FinishReason, GenerationModel, Plan


class _BeamRunner:
    """Searches that may share a batch; the engine tells batches apart by it."""

    is_far = False

    def __init__(self, model: GenerationModel) -> None:
        self._model = model

    def forward(self, batch: Sequence[BeamInput], /) -> list[list[list[int]]]:
        return self._model.beam(batch)


class BeamLane:
    """One generator's beam searches. Start it before the first one, close it with the generator."""

    def __init__(
        self,
        model: GenerationModel,
        limits: GenerationLimits,
        clock: Callable[[], float],
        observer: Observer | None = None,
    ) -> None:
        self._model = model
        self._clock = clock
        self._runners: weakref.WeakValueDictionary[object, _BeamRunner] = (
            weakref.WeakValueDictionary()
        )
        self._engine = Engine(
            EngineLimits(
                n_lanes=1,
                # Plans of equal options have equal beams: the narrowest search sets the bound.
                max_batch=max(1, limits.max_beam_rows // limits.max_beams),
                max_batch_tokens=max(1, limits.max_cached_tokens // limits.max_beams),
                max_padding=limits.max_padding,
                max_queue=limits.max_queue,
                max_queue_tokens=limits.max_queue_tokens,
                low_priority_share=limits.low_priority_share,
                max_age_s=limits.max_age_s,
                max_forward_s=limits.max_step_s * 10,
                restart_backoff_s=limits.restart_backoff_s,
            ),
            clock=clock,
            observer=observer,
        )

    def start(self) -> None:
        self._engine.start()

    def refuse(self) -> None:
        self._engine.refuse()

    def close(self, timeout_s: float) -> bool:
        """Answer what waits, for at most `timeout_s`; True if nothing was left."""
        return self._engine.close(timeout_s)

    @property
    def depth(self) -> int:
        """Prompts that wait."""
        return self._engine.depth

    @property
    def is_drained(self) -> bool:
        return all(self._engine.drained(runner) for runner in list(self._runners.values()))

    @property
    def is_healthy(self) -> bool:
        return self._engine.is_healthy

    async def submit(
        self, plans: Sequence[Plan], *, deadline: float, priority: Priority
    ) -> list[Outcome]:
        """Search for every prompt, all of equal options; raises what `Engine.submit` raises."""
        is_open = True
        inputs = [BeamInput(plan, lambda: is_open and self._clock() < deadline) for plan in plans]
        groups: dict[object, list[int]] = {}
        for position, plan in enumerate(plans):
            groups.setdefault(self._model.beam_key(plan), []).append(position)
        outcomes: list[Outcome] = [()] * len(plans)
        try:
            async with asyncio.TaskGroup() as tasks:
                for key, positions in groups.items():
                    tasks.create_task(
                        self._search(key, positions, inputs, outcomes, deadline, priority)
                    )
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            is_open = False
        for outcome in outcomes:
            # The search may see the deadline pass before the engine's own timer does.
            if isinstance(outcome, DeadlineExceeded):
                raise outcome
        return outcomes

    async def _search(
        self,
        key: object,
        positions: list[int],
        inputs: list[BeamInput],
        outcomes: list[Outcome],
        deadline: float,
        priority: Priority,
    ) -> None:
        runner = self._runners.get(key)
        if runner is None:
            runner = self._runners[key] = _BeamRunner(self._model)
        answers = await self._engine.submit(
            runner, [inputs[at] for at in positions], deadline=deadline, priority=priority
        )
        for at, answer in zip(positions, answers, strict=True):
            outcomes[at] = (
                answer
                if isinstance(answer, InferenceError)
                else tuple(self._generated(inputs[at].plan, ids, answer) for ids in answer.output)
            )

    def _generated(
        self, plan: Plan, ids: list[int], answer: Answered[list[list[int]]]
    ) -> Generated:
        has_ended = bool(ids) and self._model.is_end(plan, ids[-1])
        reason: FinishReason = "eos_token" if has_ended else "length"
        context = [
            each for each in self._model.context(plan) if each not in self._model.special_ids
        ]
        n_before = len(self._model.decode(context))
        return Generated(
            text=self._model.decode([*context, *ids])[n_before:],
            token_ids=tuple(ids),
            tokens=(),
            finish_reason=reason,
            seed=None,
            n_prompt_tokens=plan.prompt.n_tokens,
            is_truncated=plan.prompt.is_truncated,
            queue_s=answer.queue_s,
            inference_s=answer.inference_s,
        )
