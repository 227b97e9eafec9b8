"""The pipeline from a call to its answer, readable in one screen."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from inference import decoding, metrics
from inference.caching import Memory, Sharing, key_of
from inference.calls import Answer, Call, Prediction, Started, Timing
from inference.comparing import Primary
from inference.describing import UNDESCRIBED, Described, Describer
from inference.engine.engine import Engine
from inference.engine.limits import Priority
from inference.errors import InvalidRequest
from inference.gathering import Gathered
from inference.noting import describe_answers, failure_of, records_of
from inference.predictor import Predictor
from inference.recording import Recorder
from inference.records import PredictionRecord
from inference.serving import ServedModel, Serving
from inference.shadowing import Shadowing
from inference.tally import Tally
from inference.tasks.inputs import Input, as_text, n_chars
from inference.tasks.kinds import KINDS, TaskKind
from inference.tasks.ports import Decoded, Prepared
from registry.specs import VersionSpec

__all__ = ["Answer", "Call", "Prediction", "Service", "Timing"]

log = logging.getLogger(__name__)

# Above this many characters, tokenising takes longer than a hop to another thread and back.
LONG_CHARS = 4096
# So does putting together what more pieces than this of one input gave.
MANY_PIECES = 4


class Service:
    """Answers calls: choose → tokenise → engine → decode → record; `shadowing` copies some.

    `n_running` calls are being answered now, `tally` counts them by version; `describer` says what
    is kept of a text. Answers that are not `is_counted` are for nobody outside: metrics leave them
    out. `memory` keeps what the model gave, for those who ask the same.
    """

    def __init__(
        self,
        serving: Serving,
        engine: Engine,
        recorder: Recorder,
        *,
        stores_text: bool = True,
        describer: Describer | None = None,
        shadowing: Shadowing | None = None,
        is_counted: bool = True,
        memory: Memory | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.serving, self.engine, self.recorder = serving, engine, recorder
        self._shadowing, self._is_counted = shadowing, is_counted
        self._sharing = Sharing(engine, memory)
        self.n_running = 0
        self.tally = Tally()
        self._describer = describer or Describer(stores_text=stores_text)
        self._clock, self._wall_clock = clock, wall_clock
        self._long_texts = ThreadPoolExecutor(1, thread_name_prefix="tokenize")

    def kind_of(self, model: str) -> TaskKind:
        """What `model` does; raises ModelNotFound, or ModelNotReady where nothing of it serves."""
        return KINDS[self.serving.spec_of(model).task]

    async def predict(self, call: Call) -> Answer:
        """Answer `call` completely, or raise the first input's error.

        Raises ModelNotFound, ModelNotReady, VersionNotLoaded, QueueFull, DeadlineExceeded,
        LaneFailed, ShuttingDown, or InputFailed with `details.index`. Once a version is chosen,
        every error says which in `chosen`.
        """
        asked = self._clock()
        served = await self.serving.awake(call.model, call.timeout_s)
        predictor = served.choose(call.key_id, request_id=call.request_id, steering=call.steering)
        self.n_running += 1
        try:
            return await self._answer(call, served, predictor, asked)
        except Exception as error:
            error.chosen = predictor.spec  # type: ignore[attr-defined]
            seconds = self._clock() - asked
            self.tally.failed(predictor.spec, seconds)
            self._record_failure(call, predictor.spec, error, seconds)
            raise
        finally:
            self.n_running -= 1

    async def tokenize(self, call: Call) -> tuple[Predictor, Sequence[Prepared]]:
        """What `call` would run, and by which predictor; raises as `predict` does until then."""
        served = await self.serving.awake(call.model, call.timeout_s)
        predictor = served.choose(call.key_id, request_id=call.request_id, steering=call.steering)
        prepared, _ = await self._encode(predictor, call.inputs, _parameters(call, predictor))
        return predictor, prepared

    async def _answer(
        self, call: Call, served: ServedModel, predictor: Predictor, asked: float
    ) -> Answer:
        started = self._clock()
        parameters = _parameters(call, predictor)
        prepared, described = await self._encode(predictor, call.inputs, parameters)
        tokenized = self._clock()
        if call.tell is not None:
            await call.tell(Started(predictor.spec, prepared))
        gathered = await self._gather(predictor, prepared, call, parameters)
        decoded = await self._decode(predictor, prepared, gathered, parameters)
        timing = Timing(
            tokenize_s=tokenized - started,
            queue_s=max(own.queue_s for own in gathered),
            inference_s=max(own.inference_s for own in gathered),
            total_s=self._clock() - asked,
        )
        answers = await describe_answers(self._describer, call.inputs, decoded, self._long_texts)
        now = self._wall_clock()
        self.tally.answered(predictor.spec, gathered, timing, at=now)
        records = records_of(
            call,
            predictor.spec,
            prepared,
            described,
            gathered,
            decoded,
            timing,
            at=now,
            subject=self._describer.subject(call.subject),
            answers=answers,
        )
        ids = self._record(records)
        predictions = [
            Prediction(
                ids[i] if ids else None, decoded[i], prepared[i].n_tokens, prepared[i].truncated
            )
            for i in range(len(decoded))
        ]
        if self._is_counted:
            n_cached = sum(own.is_cached for own in gathered)
            metrics.observe_answer(predictor.spec, decoded, timing.by_stage(), n_cached=n_cached)
        if served.shadows and self._shadowing is not None:
            self._shadow(call, served, predictor.spec, predictions, gathered)
        return Answer(predictor.spec, predictions, timing)

    async def _gather(
        self, predictor: Predictor, prepared: Sequence[Prepared], call: Call, parameters: Any
    ) -> list[Gathered]:
        """What the model gives for each input: by the engine, or by the version's own writer."""
        deadline = time.monotonic() + call.timeout_s
        writer = predictor.writer
        if writer is not None:
            limits: dict[str, Any] = {"deadline": deadline, "priority": call.priority}
            if call.tell is not None:
                return await writer.stream(prepared, parameters, call.tell, **limits)
            return await writer.write(prepared, parameters, **limits)
        asked = bytes(call.parameters)
        return await self._sharing.forward(
            predictor,
            prepared,
            [key_of(predictor, item, asked) for item in call.inputs],
            deadline=deadline,
            priority=call.priority,
        )

    def _shadow(
        self,
        call: Call,
        served: ServedModel,
        spec: VersionSpec,
        predictions: Sequence[Prediction],
        gathered: Sequence[Gathered],
    ) -> None:
        """Offer copies once the answer is on its way; jobs and pinned calls are no sample."""
        if call.priority is not Priority.INTERACTIVE or call.steering.pin is not None:
            return
        primary = Primary(
            spec=spec,
            ids=[prediction.id for prediction in predictions],
            decoded=[prediction.decoded for prediction in predictions],
            seconds=[own.compute_s for own in gathered],
            parameters=call.parameters,
        )
        assert self._shadowing is not None  # noqa: S101 - the caller has looked
        loop = asyncio.get_running_loop()
        loop.call_soon(self._shadowing.offer, served, call.inputs, primary)

    async def _encode(
        self, predictor: Predictor, inputs: Sequence[Input], parameters: Any
    ) -> tuple[Sequence[Prepared], list[Described]]:
        """Tokenise, and note what is kept of the texts: long ones beside the event loop."""

        def encode(*, short: bool) -> tuple[Sequence[Prepared], list[Described]]:
            return predictor.task.encode(inputs, parameters, short=short), self._describe(inputs)

        if sum(map(n_chars, inputs)) <= LONG_CHARS:
            return encode(short=True)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._long_texts, lambda: encode(short=False))

    async def _decode(
        self,
        predictor: Predictor,
        prepared: Sequence[Prepared],
        gathered: Sequence[Gathered],
        parameters: Any,
    ) -> list[Decoded]:
        """The answers, in order: those of inputs of many pieces beside the event loop."""

        def decode() -> list[Decoded]:
            return [
                predictor.task.decode(prepared[i], own.outputs, parameters)
                for i, own in enumerate(gathered)
            ]

        if all(len(each.pieces) <= MANY_PIECES for each in prepared):
            return decode()
        return await asyncio.get_running_loop().run_in_executor(self._long_texts, decode)

    def _describe(self, inputs: Sequence[Input]) -> list[Described]:
        try:
            return [self._describer.describe(as_text(item)) for item in inputs]
        except Exception:
            # What could not be redacted is not kept.
            log.exception("texts are answered, but not described")
            return [UNDESCRIBED] * len(inputs)

    def _record(self, records: list[PredictionRecord]) -> list[UUID]:
        """Keep every answer and return the ids; a recorder that fails costs the ids, never the
        answers.
        """
        try:
            self.recorder.record(records)
        except Exception:
            metrics.recording_failed(len(records))
            return []
        return [record.id for record in records]

    def _record_failure(
        self, call: Call, spec: VersionSpec, error: Exception, total_s: float
    ) -> None:
        """Keep that a version failed a caller, and with which code."""
        if self._is_counted and call.steering.pin is None:
            self._record([failure_of(call, spec, error, at=self._wall_clock(), total_s=total_s)])

    def close(self) -> None:
        self._long_texts.shutdown(wait=False, cancel_futures=True)


def _parameters(call: Call, predictor: Predictor) -> Any:
    """What the call asks of the task; raises InvalidRequest or UnknownParameter.

    Refuses inputs of another task, too: versions of a model may differ, and jobs hold only texts.
    """
    task = predictor.task
    for index, item in enumerate(call.inputs):
        if not isinstance(item, task.accepts):
            raise InvalidRequest(
                f"'inputs[{index}]' is not what version {predictor.spec.number} takes: its task is "
                f"{predictor.spec.task}. Send inputs of that task.",
                details={"field": "inputs", "index": index, "task": predictor.spec.task},
            )
    return decoding.convert(call.parameters, task.parameters_type, "parameters")
