"""What is recorded of a call: a record for each answer, or one that says why there is none."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from itertools import chain
from typing import Any
from uuid import UUID

import numpy as np
import uuid_utils.compat as uuids

from access.errors import BellwetherError
from inference.calls import Call, Timing
from inference.describing import Described, Describer
from inference.gathering import Gathered
from inference.records import FAILED, LIVE, PINNED, PredictionRecord
from inference.tasks.inputs import Input, as_text, counted_from, n_chars
from inference.tasks.ports import Decoded, Prepared
from registry.specs import VersionSpec

log = logging.getLogger(__name__)

BUG = "internal_error"
# With more, redacting takes longer than a hop to another thread and back.
MOST_CHARS_AT_ONCE = 4096


def records_of(
    call: Call,
    spec: VersionSpec,
    prepared: Sequence[Prepared],
    described: Sequence[Described],
    gathered: Sequence[Gathered],
    decoded: Sequence[Decoded],
    timing: Timing,
    *,
    at: float,
    subject: str,
    answers: Sequence[str | None],
) -> list[PredictionRecord]:
    """One record for each answer, in their order; `subject` is a hash already, `answers` are from
    `describe_answers`.
    """
    route = LIVE if call.steering.pin is None else PINNED
    return [
        PredictionRecord(
            id=_new_id(),
            at=at,
            model=spec.model,
            version=spec.number,
            digest=spec.digest,
            task=spec.task,
            text=described[i].text,
            label=decoded[i].label,
            score=decoded[i].score,
            scores=decoded[i].scores,
            n_tokens=prepared[i].n_tokens,
            truncated=prepared[i].truncated,
            segment=call.segment,
            request_id=call.request_id,
            dialect=call.dialect,
            key_id=call.key_id,
            tokenize_s=timing.tokenize_s,
            queue_s=gathered[i].queue_s,
            inference_s=gathered[i].inference_s,
            total_s=timing.total_s,
            embedding=gathered[i].embedding.astype(np.float16).tobytes(),
            route=route,
            n_unknown=prepared[i].n_unknown,
            script=described[i].script,
            is_empty=described[i].is_empty,
            fingerprint=described[i].fingerprint,
            subject=subject,
            is_cached=gathered[i].is_cached,
            answer=answers[i],
        )
        for i in range(len(decoded))
    ]


async def describe_answers(
    describer: Describer, inputs: Sequence[Input], decoded: Sequence[Decoded], beside: Executor
) -> list[str | None]:
    """What is kept of each answer beside label and scores; of much text it is made in `beside`."""
    nothing: list[str | None] = [None] * len(decoded)
    if not [each for each in decoded if each.answer is not None]:
        return nothing

    def describe() -> list[str | None]:
        try:
            return [
                None
                if each.answer is None
                else describer.answer(each.answer, as_text(item), counted_from=counted_from(item))
                for item, each in zip(inputs, decoded, strict=True)
            ]
        except Exception:
            # What could not be redacted is not kept.
            log.exception("answers are given, but not kept")
            return nothing

    n_written = sum(_n_written(each.answer) for each in decoded)
    if sum(map(n_chars, inputs)) + n_written <= MOST_CHARS_AT_ONCE:
        return describe()
    return await asyncio.get_running_loop().run_in_executor(beside, describe)


def failure_of(
    call: Call, spec: VersionSpec, error: Exception, *, at: float, total_s: float
) -> PredictionRecord:
    """The record of a call that `spec` could not answer: the error's code, nothing of the texts."""
    return PredictionRecord(
        id=_new_id(),
        at=at,
        model=spec.model,
        version=spec.number,
        digest=spec.digest,
        task=spec.task,
        text=None,
        label=error.code if isinstance(error, BellwetherError) else BUG,
        score=0.0,
        scores={},
        n_tokens=0,
        truncated=False,
        segment=call.segment,
        request_id=call.request_id,
        dialect=call.dialect,
        key_id=call.key_id,
        tokenize_s=0.0,
        queue_s=0.0,
        inference_s=0.0,
        total_s=total_s,
        embedding=b"",
        route=FAILED,
    )


def _new_id() -> UUID:
    return uuids.uuid7()


def _n_written(answer: Mapping[str, Any] | None) -> int:
    """The characters of the texts in an answer, but for those that are pieces of the input."""
    found = (answer or {}).values()
    lists = (value for value in found if isinstance(value, list))
    return sum(len(each) for each in chain(found, *lists) if isinstance(each, str))
