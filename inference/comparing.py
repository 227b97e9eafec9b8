"""A shadow's answers beside the primary's, as records for the journal. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import uuid_utils.compat as uuids

from inference.calls import NO_PARAMETERS
from inference.records import SHADOW, Compared, PredictionRecord
from inference.tasks.ports import Decoded
from registry.specs import VersionSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """What a caller got for each input: an id (None where it could not be recorded), an answer, and
    the seconds of the forward pass for each input in it; `parameters` are what the caller asked.
    """

    spec: VersionSpec
    ids: Sequence[UUID | None]
    decoded: Sequence[Decoded]
    seconds: Sequence[float]
    parameters: msgspec.Raw = field(default_factory=lambda: NO_PARAMETERS)


def compared(
    primary: Primary, index: int, shadow: VersionSpec, answer: Decoded, *, seconds: float, at: float
) -> PredictionRecord:
    """The record of one text that both answered, at `at` seconds since the epoch.

    Raises ValueError where a score is no number.
    """
    theirs = primary.decoded[index]
    # A label beyond those that are recorded has next to no probability.
    delta = abs(theirs.score - answer.scores.get(theirs.label, 0.0))
    if not math.isfinite(delta):
        raise ValueError("a score is no number")
    facts = Compared(
        outcome="compared",
        primary_id=primary.ids[index],
        primary_version=primary.spec.number,
        primary_label=theirs.label,
        delta=delta,
        seconds_primary=primary.seconds[index],
        seconds_shadow=seconds,
    )
    return _record(shadow, facts, label=answer.label, at=at)


def not_compared(
    primary: Primary, shadow: VersionSpec, *, outcome: str, reason: str, at: float
) -> PredictionRecord:
    """The record of a copy that failed, or of the moment from which there are no more."""
    facts = Compared(
        outcome=outcome, primary_id=None, primary_version=primary.spec.number, reason=reason
    )
    return _record(shadow, facts, label="", at=at)


def is_agreed(record: PredictionRecord) -> bool:
    """Whether a shadow's record says that both gave the same label."""
    return record.compared is not None and record.compared.primary_label == record.label


def _record(spec: VersionSpec, facts: Compared, *, label: str, at: float) -> PredictionRecord:
    return PredictionRecord(
        id=uuids.uuid7(),
        at=at,
        model=spec.model,
        version=spec.number,
        digest=spec.digest,
        task=spec.task,
        text=None,
        label=label,
        score=0.0,
        scores={},
        n_tokens=0,
        truncated=False,
        segment="",
        request_id="",
        dialect="shadow",
        key_id="",
        tokenize_s=0.0,
        queue_s=0.0,
        inference_s=facts.seconds_shadow,
        total_s=facts.seconds_shadow,
        embedding=b"",
        route=SHADOW,
        compared=facts,
    )
