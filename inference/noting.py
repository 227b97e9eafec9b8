"""What is recorded of a call: a record for each answer, or one that says why there is none."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import uuid_utils.compat as uuids

from access.errors import BellwetherError
from inference.calls import Call, Timing
from inference.describing import Described
from inference.gathering import Gathered
from inference.records import FAILED, LIVE, PINNED, PredictionRecord
from inference.tasks.ports import Decoded, Prepared
from registry.specs import VersionSpec

BUG = "internal_error"


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
) -> list[PredictionRecord]:
    """One record for each answer, in their order; `subject` is a hash already."""
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
        )
        for i in range(len(decoded))
    ]


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
