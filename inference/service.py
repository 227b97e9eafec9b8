"""The pipeline from a call to its answer, readable in one screen."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import msgspec
import numpy as np
import uuid_utils.compat as uuids

from inference import decoding, metrics
from inference.comparing import Primary
from inference.engine.engine import Answered, Engine
from inference.engine.limits import Priority
from inference.errors import InferenceError
from inference.predictor import Predictor
from inference.recording import Recorder
from inference.records import LIVE, PINNED, PredictionRecord
from inference.routing import UNSTEERED, Steering
from inference.serving import ServedModel, Serving
from inference.shadowing import Shadowing
from inference.tasks.ports import Decoded, Encoded, Forwarded
from inference.tasks.tokenizing import Pair
from registry.specs import VersionSpec

# Above this many characters, tokenising takes longer than a hop to another thread and back.
LONG_CHARS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, whatever dialect it came in."""

    model: str
    inputs: Sequence[str | Pair]
    parameters: msgspec.Raw
    request_id: str
    dialect: str
    key_id: str
    segment: str = ""
    priority: Priority = Priority.INTERACTIVE
    timeout_s: float = 30.0
    steering: Steering = UNSTEERED


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer; `id` is None when it could not be recorded (it cannot get feedback then)."""

    id: UUID | None
    decoded: Decoded
    n_tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time went, in seconds: `queue_s` and `inference_s` are the slowest text's."""

    tokenize_s: float
    queue_s: float
    inference_s: float
    total_s: float

    def by_stage(self) -> dict[str, float]:
        """Return the seconds under the names that metrics and answers give the stages."""
        return {
            "tokenize": self.tokenize_s,
            "queue": self.queue_s,
            "inference": self.inference_s,
            "total": self.total_s,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    spec: VersionSpec
    predictions: list[Prediction]
    timing: Timing


class Service:
    """Answers calls: choose → tokenise → engine → decode → record; `shadowing` copies some.

    `n_running` calls are being answered now.
    """

    def __init__(
        self,
        serving: Serving,
        engine: Engine,
        recorder: Recorder,
        *,
        stores_text: bool,
        shadowing: Shadowing | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.serving, self.engine, self.recorder = serving, engine, recorder
        self._shadowing = shadowing
        self.n_running = 0
        self._stores_text, self._clock, self._wall_clock = stores_text, clock, wall_clock
        self._long_texts = ThreadPoolExecutor(1, thread_name_prefix="tokenize")

    async def predict(self, call: Call) -> Answer:
        """Answer `call` completely, or raise the first input's error.

        Raises ModelNotFound, ModelNotReady, VersionNotLoaded, QueueFull, DeadlineExceeded,
        LaneFailed, ShuttingDown, or InputFailed with `details.index`. Once a version is chosen,
        every error says which in `chosen`.
        """
        started = self._clock()
        served = self.serving.find(call.model)
        predictor = served.choose(call.key_id, request_id=call.request_id, steering=call.steering)
        self.n_running += 1
        try:
            return await self._answer(call, served, predictor, started)
        except Exception as error:
            error.chosen = predictor.spec  # type: ignore[attr-defined]
            raise
        finally:
            self.n_running -= 1

    async def _answer(
        self, call: Call, served: ServedModel, predictor: Predictor, started: float
    ) -> Answer:
        parameters = decoding.convert(call.parameters, predictor.task.parameters_type, "parameters")
        encoded = await self._encode(predictor, call.inputs)
        tokenized = self._clock()
        results = await self.engine.submit(
            predictor, encoded, deadline=time.monotonic() + call.timeout_s, priority=call.priority
        )
        answered = [_answered(result, index) for index, result in enumerate(results)]
        decoded = [predictor.task.decode(result.output, parameters) for result in answered]
        timing = Timing(
            tokenize_s=tokenized - started,
            queue_s=max(result.queue_s for result in answered),
            inference_s=max(result.inference_s for result in answered),
            total_s=self._clock() - started,
        )
        ids = self._record(call, predictor.spec, encoded, answered, decoded, timing)
        predictions = [
            Prediction(
                ids[i] if ids else None, decoded[i], encoded[i].n_tokens, encoded[i].truncated
            )
            for i in range(len(decoded))
        ]
        metrics.observe_answer(predictor.spec, decoded, timing.by_stage())
        if served.shadows and self._shadowing is not None:
            self._shadow(call, served, predictor.spec, predictions, answered)
        return Answer(predictor.spec, predictions, timing)

    def _shadow(
        self,
        call: Call,
        served: ServedModel,
        spec: VersionSpec,
        predictions: Sequence[Prediction],
        answered: Sequence[Answered[Forwarded]],
    ) -> None:
        """Offer copies once the answer is on its way; jobs and pinned calls are no sample."""
        if call.priority is not Priority.INTERACTIVE or call.steering.pin is not None:
            return
        primary = Primary(
            spec=spec,
            ids=[prediction.id for prediction in predictions],
            decoded=[prediction.decoded for prediction in predictions],
            seconds=[result.inference_s / result.batch_size for result in answered],
        )
        assert self._shadowing is not None  # noqa: S101 - the caller has looked
        loop = asyncio.get_running_loop()
        loop.call_soon(self._shadowing.offer, served, call.inputs, primary)

    async def _encode(self, predictor: Predictor, inputs: Sequence[str | Pair]) -> list[Encoded]:
        if sum(map(_n_chars, inputs)) <= LONG_CHARS:
            return predictor.task.encode(inputs, short=True)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._long_texts, lambda: predictor.task.encode(inputs, short=False)
        )

    def _record(
        self,
        call: Call,
        spec: VersionSpec,
        encoded: Sequence[Encoded],
        answered: Sequence[Answered[Forwarded]],
        decoded: Sequence[Decoded],
        timing: Timing,
    ) -> list[UUID]:
        """Keep every answer and return the ids; a recorder that fails costs the ids, never the
        answers.
        """
        now = self._wall_clock()
        route = LIVE if call.steering.pin is None else PINNED
        ids = [uuids.uuid7() for _ in decoded]
        records = [
            PredictionRecord(
                id=ids[i],
                at=now,
                model=spec.model,
                version=spec.number,
                digest=spec.digest,
                task=spec.task,
                text=_stored(call.inputs[i]) if self._stores_text else None,
                label=decoded[i].label,
                score=decoded[i].score,
                scores=decoded[i].scores,
                n_tokens=encoded[i].n_tokens,
                truncated=encoded[i].truncated,
                segment=call.segment,
                request_id=call.request_id,
                dialect=call.dialect,
                key_id=call.key_id,
                tokenize_s=timing.tokenize_s,
                queue_s=answered[i].queue_s,
                inference_s=answered[i].inference_s,
                total_s=timing.total_s,
                embedding=answered[i].output.embedding.astype(np.float16).tobytes(),
                route=route,
            )
            for i in range(len(decoded))
        ]
        try:
            self.recorder.record(records)
        except Exception:
            metrics.recording_failed(len(records))
            return []
        return ids

    def close(self) -> None:
        self._long_texts.shutdown(wait=False, cancel_futures=True)


def _n_chars(item: str | Pair) -> int:
    return len(item) if isinstance(item, str) else len(item.text) + len(item.text_pair)


def _stored(item: str | Pair) -> str:
    return item if isinstance(item, str) else f"{item.text}\n{item.text_pair}"


def _answered(result: Answered[Forwarded] | InferenceError, index: int) -> Answered[Forwarded]:
    if isinstance(result, InferenceError):
        result.details.setdefault("index", index)
        raise result
    return result
