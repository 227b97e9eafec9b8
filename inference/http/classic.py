"""The classic dialect: the blog-style sentiment API that many teams have, with its shapes kept."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

import msgspec

from access.database import in_thread
from access.errors import BellwetherError
from access.scopes import Scope
from inference.errors import InvalidRequest
from inference.http.endpoints import Endpoint, Received, Reply, reading
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.steering import read_steering
from inference.http.updates import update_endpoint
from inference.jobs import services as jobs
from inference.jobs.models import JobState
from inference.jobs.runner import JobRunner
from inference.service import Answer, Call, Prediction, Service
from inference.tasks.answers import LabelScore

ALL_LABELS = msgspec.Raw(b'{"top_k":null}')
BEST_LABEL = msgspec.Raw(b"{}")


JobStatus = Literal["processing", "completed", "failed"]
_SHOWN_STATES: dict[JobState, JobStatus] = {
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
}


_get = partial(reading, tag="classic", dialect="classic")


class TextRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    text: str


class TextsRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    texts: list[str]


class SentimentReply(msgspec.Struct, frozen=True):
    text: str
    label: str
    score: float
    prediction_id: UUID | None


class BatchReply(msgspec.Struct, frozen=True):
    """`processing_time` is seconds."""

    results: list[SentimentReply]
    processing_time: float


class AnalyzeReply(msgspec.Struct, frozen=True):
    """Everything known about one text; `processing_time` is seconds."""

    text: str
    label: str
    score: float
    scores: list[LabelScore]
    n_characters: int
    n_tokens: int
    truncated: bool
    model: str
    version: int
    prediction_id: UUID | None
    processing_time: float


class JobAccepted(msgspec.Struct, frozen=True):
    job_id: UUID
    status: Literal["processing"]


class JobReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """`results` come with `completed`, `error` with `failed`; `processing_time` is seconds."""

    job_id: UUID
    status: JobStatus
    n_inputs: int
    n_done: int
    processing_time: float | None = None
    results: list[dict[str, Any]] | None = None
    error: str | None = None
    error_code: str | None = None


class Welcome(msgspec.Struct, frozen=True):
    name: str
    model: str
    docs: str
    admin: str
    health: str


class ClassicDialect:
    def __init__(
        self, service: Service, limits: RequestLimits, runner: JobRunner, model: str
    ) -> None:
        self._service, self._limits, self._runner, self._model = service, limits, runner, model

    def endpoints(self) -> list[Endpoint[Any]]:
        return [
            self._post(
                "/sentiment", self.sentiment, TextRequest, SentimentReply, "Classify one text"
            ),
            self._post(
                "/batch-sentiment", self.batch, TextsRequest, BatchReply, "Classify several texts"
            ),
            self._post(
                "/concurrent-batch-sentiment",
                self.concurrent_batch,
                TextsRequest,
                BatchReply,
                "Classify several texts, each as a request of its own",
            ),
            self._post(
                "/analyze",
                self.analyze,
                TextRequest,
                AnalyzeReply,
                "Classify one text, with all details",
            ),
            replace(
                self._post(
                    "/async-sentiment", self.start_job, TextsRequest, JobAccepted, "Start a job"
                ),
                status=202,
                is_steered=False,
            ),
            _get(
                "/job/{job_id}",
                self.job,
                JobReply,
                "How far a job is, and its results",
                Scope.PREDICT,
            ),
            update_endpoint(),
            _get("/", self.welcome, Welcome, "What this is", None),
        ]

    def _post(self, path: str, handler: Any, body: Any, reply: Any, summary: str) -> Endpoint[Any]:
        return Endpoint(
            method="POST",
            path=path,
            handler=handler,
            scope=Scope.PREDICT,
            body=body,
            reply=reply,
            summary=summary,
            tag="classic",
            dialect="classic",
            is_steered=True,
        )

    async def welcome(self, received: Received[None]) -> Reply:
        return Reply(Welcome("Bellwether", self._model, "/docs", "/admin/", "/health"))

    async def sentiment(self, received: Received[TextRequest]) -> Reply:
        text = received.body.text
        self._limits.check([text], field="text")
        answer = await self._predict(received, [text], BEST_LABEL)
        return Reply(_result(text, answer.predictions[0]), headers=version_headers(answer.spec))

    async def analyze(self, received: Received[TextRequest]) -> Reply:
        text = received.body.text
        self._limits.check([text], field="text")
        answer = await self._predict(received, [text], ALL_LABELS)
        prediction, fields = answer.predictions[0], answer.predictions[0].decoded.fields
        reply = AnalyzeReply(
            text=text,
            label=fields["label"],
            score=fields["score"],
            scores=fields["scores"],
            n_characters=len(text),
            n_tokens=prediction.n_tokens,
            truncated=prediction.truncated,
            model=answer.spec.model,
            version=answer.spec.number,
            prediction_id=prediction.id,
            processing_time=answer.timing.total_s,
        )
        return Reply(reply, headers=version_headers(answer.spec))

    async def batch(self, received: Received[TextsRequest]) -> Reply:
        texts, started = received.body.texts, time.perf_counter()
        self._limits.check(list(texts), field="texts")
        answer = await self._predict(received, texts, BEST_LABEL)
        results = [_result(text, answer.predictions[at]) for at, text in enumerate(texts)]
        return Reply(
            BatchReply(results, time.perf_counter() - started), headers=version_headers(answer.spec)
        )

    async def concurrent_batch(self, received: Received[TextsRequest]) -> Reply:
        texts, started = received.body.texts, time.perf_counter()
        self._limits.check(list(texts), field="texts")
        answers = await _all_or_first_error(
            [self._predict(received, [text], BEST_LABEL) for text in texts]
        )
        results = [_result(text, answers[at].predictions[0]) for at, text in enumerate(texts)]
        return Reply(
            BatchReply(results, time.perf_counter() - started),
            headers=version_headers(*(answer.spec for answer in answers)),
        )

    async def start_job(self, received: Received[TextsRequest]) -> Reply:
        texts = received.body.texts
        self._limits.check_job(list(texts), field="texts")
        if read_steering(received).pin is not None:
            raise InvalidRequest(
                "X-Model-Pin does not work on jobs. Leave it out.", details={"field": "X-Model-Pin"}
            )
        self._service.serving.spec_of(self._model)
        job_id = await in_thread(
            lambda: jobs.create_job(
                self._model,
                texts,
                key_id=received.key.id,
                request_id=received.request_id,
                now=datetime.now(UTC),
            )
        )
        self._runner.wake()
        return Reply(JobAccepted(job_id, "processing"), status=202)

    async def job(self, received: Received[None]) -> Reply:
        sees_all = Scope.ADMIN in received.key.scopes
        key_id = None if sees_all else received.key.id
        facts = await in_thread(
            lambda: jobs.load_job(received.path["job_id"], key_id=key_id, now=datetime.now(UTC))
        )
        status = _SHOWN_STATES.get(facts.state, "processing")
        return Reply(
            JobReply(
                job_id=facts.id,
                status=status,
                n_inputs=facts.n_inputs,
                n_done=facts.n_done,
                processing_time=None if status == "processing" else facts.processing_s,
                results=facts.results,
                error=facts.error_message or None,
                error_code=facts.error_code or None,
            )
        )

    async def _predict(
        self, received: Received[Any], texts: list[str], parameters: msgspec.Raw
    ) -> Answer:
        call = Call(
            model=self._model,
            inputs=texts,
            parameters=parameters,
            request_id=received.request_id,
            dialect="classic",
            key_id=received.key.id,
            timeout_s=self._limits.timeout_s,
            steering=read_steering(received),
        )
        return await self._service.predict(call)


async def _all_or_first_error(calls: list[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """Run all calls at once; when one fails the others are cancelled and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except* BellwetherError as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _result(text: str, prediction: Prediction) -> SentimentReply:
    fields = prediction.decoded.fields
    return SentimentReply(text, fields["label"], fields["score"], prediction.id)
