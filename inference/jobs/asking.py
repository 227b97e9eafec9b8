"""Rows to answers through the pipeline: a row that fails is named, the others are answered."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from inference.engine.limits import Priority
from inference.errors import InputFailed, RequestError, Unavailable
from inference.jobs.labels import name_of
from inference.jobs.pace import JOB_DIALECT, Pace, choose_pace
from inference.jobs.rows import Answered, BadRow, Fault, Row
from inference.service import Answer, Call, Prediction, Service
from registry.specs import VersionSpec

RETRY_S = 0.5
# A model may be away for so long; then the job pauses.
MAX_UNAVAILABLE_S = 600.0
CALL_TIMEOUT_S = 300.0
_NO_PARAMETERS = msgspec.Raw(b"{}")


@dataclass(slots=True)
class Asker:
    """For whom rows are answered, and by which model; `quiet_s` says for how long no person was."""

    service: Service
    model: str
    key_id: str
    request_id: str
    quiet_s: Callable[[], float]
    last_call_s: float = 0.0

    @property
    def pace(self) -> Pace:
        return choose_pace(self.quiet_s(), self.last_call_s)

    async def answer(self, rows: Sequence[Row]) -> list[Answered | BadRow]:
        """One outcome for each row, in order.

        Raises Unavailable when the model was away for MAX_UNAVAILABLE_S, and what concerns more
        than single rows.
        """
        outcomes: list[Answered | BadRow] = []
        while len(outcomes) < len(rows):
            pace, started = self.pace, time.monotonic()
            some = rows[len(outcomes) : len(outcomes) + pace.n_texts]
            outcomes += await self._answer(some)
            self.last_call_s = time.monotonic() - started
            if pace.rest:
                await asyncio.sleep(pace.rest * self.last_call_s)
        return outcomes

    async def _answer(self, rows: Sequence[Row]) -> list[Answered | BadRow]:
        """As `answer`, in one call, or in several where rows fail."""
        if not rows:
            return []
        try:
            answer = await self._call([row.text for row in rows])
        except (InputFailed, RequestError) as error:
            if len(rows) == 1:
                code = Fault.INPUT_FAILED if isinstance(error, InputFailed) else error.code
                return [BadRow(rows[0].line, code, error.message)]
            at = error.details.get("index")
            if not isinstance(at, int):
                half = len(rows) // 2
                return [*await self._answer(rows[:half]), *await self._answer(rows[half:])]
            bad = BadRow(rows[at].line, Fault.INPUT_FAILED, error.message)
            return [*await self._answer(rows[:at]), bad, *await self._answer(rows[at + 1 :])]
        pairs = zip(rows, answer.predictions, strict=True)
        return [_answered(row, prediction, answer.spec) for row, prediction in pairs]

    async def _call(self, texts: list[str]) -> Answer:
        call = Call(
            model=self.model,
            inputs=texts,
            parameters=_NO_PARAMETERS,
            request_id=self.request_id,
            dialect=JOB_DIALECT,
            key_id=self.key_id,
            priority=Priority.JOB,
            timeout_s=CALL_TIMEOUT_S,
        )
        ends_at = time.monotonic() + MAX_UNAVAILABLE_S
        while True:
            try:
                return await self.service.predict(call)
            except Unavailable as error:
                if time.monotonic() >= ends_at:
                    raise
                wait_s = error.retry_after_s or RETRY_S
            await asyncio.sleep(min(wait_s, 10 * RETRY_S))


def _answered(row: Row, prediction: Prediction, spec: VersionSpec) -> Answered:
    decoded = prediction.decoded
    label = row.label and name_of(row.label, spec.labels)
    return Answered(
        row=Row(row.line, row.text, label, row.carried),
        label=decoded.label,
        score=decoded.score,
        fields=decoded.fields,
        version=spec.number,
        prediction_id=str(prediction.id) if prediction.id else "",
    )
