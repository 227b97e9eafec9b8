"""Text that is written for OpenAI's clients: `/v1/chat/completions` and `/v1/completions`.

A Writer does the work; this module gives its events the shapes that clients read, at once or as a
stream. A stream that asks for it ends with the usage.
"""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from access.scopes import Scope
from inference.http.endpoints import Endpoint, Received, Reply
from inference.http.errors import version_headers
from inference.http.ignored import warn
from inference.http.limits import RequestLimits
from inference.http.openai_input import read_items
from inference.http.openai_logprobs import chat_logprobs, completion_logprobs
from inference.http.openai_messages import (
    AssistantMessage,
    ChatChoice,
    ChatChunk,
    ChatReply,
    ChatRequest,
    ChunkChoice,
    CompletionChoice,
    CompletionReply,
    CompletionRequest,
    Delta,
    Sampling,
    Usage,
)
from inference.http.openai_request import Asked, reader
from inference.http.sse import EventStream
from inference.http.steering import read_steering
from inference.http.writing import Begun, Event, Finished, Order, Piece, Turn, Writer

_ROLES: dict[str, Any] = {"developer": "system"}


@dataclass(slots=True)
class Written:
    """What has come so far: `pieces`, `reasons` and token counts by text."""

    id: str
    model: str
    created: int
    n_prompt_tokens: int
    pieces: dict[int, list[Piece]] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    n_tokens: int = 0

    def take(self, event: Event) -> None:
        if isinstance(event, Piece):
            self.pieces.setdefault(event.index, []).append(event)
        elif isinstance(event, Finished):
            self.pieces.setdefault(event.index, [])
            self.reasons[event.index] = event.reason
            self.n_tokens += event.n_tokens

    @property
    def usage(self) -> Usage:
        n, m = self.n_prompt_tokens, self.n_tokens
        return Usage(n, m, n + m)


class ChatLooks:
    """Events and answers of `/v1/chat/completions`."""

    prefix = "chatcmpl"

    def whole(self, written: Written) -> ChatReply:
        choices = [
            ChatChoice(
                index,
                AssistantMessage(_text(pieces)),
                written.reasons[index],
                chat_logprobs(pieces),
            )
            for index, pieces in sorted(written.pieces.items())
        ]
        return ChatReply(written.id, written.created, written.model, choices, written.usage)

    def chunks(self, written: Written, event: Event) -> Iterator[ChatChunk]:
        """`written` is what had come before the event."""
        if isinstance(event, Begun):
            return
        if event.index not in written.pieces:
            yield self._chunk(written, ChunkChoice(event.index, Delta("assistant", "")))
        if isinstance(event, Piece):
            told = chat_logprobs([event])
            choice = ChunkChoice(event.index, Delta(content=event.text), logprobs=told)
            yield self._chunk(written, choice)
        else:
            yield self._chunk(written, ChunkChoice(event.index, Delta(), event.reason))

    def last(self, written: Written) -> ChatChunk:
        return ChatChunk(written.id, written.created, written.model, [], written.usage)

    def _chunk(self, written: Written, choice: ChunkChoice) -> ChatChunk:
        return ChatChunk(written.id, written.created, written.model, [choice])


class CompletionLooks:
    """Events and answers of `/v1/completions`."""

    prefix = "cmpl"

    def whole(self, written: Written) -> CompletionReply:
        choices = [
            CompletionChoice(
                index, _text(pieces), written.reasons[index], completion_logprobs(pieces)
            )
            for index, pieces in sorted(written.pieces.items())
        ]
        return CompletionReply(written.id, written.created, written.model, choices, written.usage)

    def chunks(self, written: Written, event: Event) -> Iterator[CompletionReply]:
        if isinstance(event, Piece):
            told = completion_logprobs([event], written.pieces.get(event.index, ()))
            choice = CompletionChoice(event.index, event.text, None, told)
        elif isinstance(event, Finished):
            choice = CompletionChoice(event.index, "", event.reason)
        else:
            return
        yield CompletionReply(written.id, written.created, written.model, [choice])

    def last(self, written: Written) -> CompletionReply:
        return CompletionReply(written.id, written.created, written.model, [], written.usage)


def _text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


Looks = ChatLooks | CompletionLooks
CHAT, COMPLETION = ChatLooks(), CompletionLooks()


class OpenAIText:
    """`clock` gives seconds since the epoch."""

    def __init__(
        self, writer: Writer, limits: RequestLimits, clock: Callable[[], float] = time.time
    ) -> None:
        self._writer, self._limits, self._clock = writer, limits, clock

    def endpoints(self) -> list[Endpoint[Any]]:
        return [
            _post("/v1/chat/completions", self.chat, ChatRequest, ChatReply, "Answer a chat"),
            _post(
                # Hugging Face's client, which has only an address, names the model in it.
                "/models/{namespace}/{name}/v1/chat/completions",
                self.chat_of_model,
                ChatRequest,
                ChatReply,
                "Answer a chat, the model being named in the path",
            ),
            _post(
                "/v1/completions", self.complete, CompletionRequest, CompletionReply, "Go on a text"
            ),
        ]

    async def chat(self, received: Received[Asked[ChatRequest]]) -> Reply:
        request = received.body.request
        texts = [message.text for message in request.messages]
        self._limits.check_messages(texts)
        turns = tuple(
            Turn(_ROLES.get(message.role, message.role), text)
            for message, text in zip(request.messages, texts, strict=True)
        )
        max_tokens = request.max_completion_tokens or request.max_tokens
        order = self._order(received, request, turns=turns, max_tokens=max_tokens)
        return await self._answer(received, request, order, CHAT)

    async def chat_of_model(self, received: Received[Asked[ChatRequest]]) -> Reply:
        return await self.chat(received)

    async def complete(self, received: Received[Asked[CompletionRequest]]) -> Reply:
        request = received.body.request
        prompts = read_items(request.prompt, "prompt", max_items=self._limits.max_inputs)
        if isinstance(prompts[0], str):
            self._limits.check(prompts, field="prompt")  # type: ignore[arg-type]
        order = self._order(received, request, prompts=prompts, max_tokens=request.max_tokens)
        return await self._answer(received, request, order, COMPLETION)

    def _order(self, received: Received[Any], request: Sampling, **what: Any) -> Order:
        return Order(
            model=received.model if received.path else request.model,
            n=request.n or 1,
            temperature=request.temperature,
            top_p=request.top_p,
            stop=request.stops,
            seed=request.seed,
            timeout_s=self._limits.timeout_s,
            request_id=received.request_id,
            key_id=received.key.id,
            subject=request.user,
            wants_logprobs=request.wants_logprobs,
            steering=read_steering(received),
            **what,
        )

    async def _answer(
        self, received: Received[Asked[Any]], request: Sampling, order: Order, looks: Looks
    ) -> Reply:
        events = self._writer.write(order)
        try:
            begun = await anext(events)
            assert isinstance(begun, Begun)  # noqa: S101 - the port promises it
            written = Written(
                f"{looks.prefix}-{received.request_id}",
                begun.spec.model,
                int(self._clock()),
                begun.n_prompt_tokens,
            )
            if request.stream:
                chunks = _chunks(events, written, looks, shows_usage=request.shows_usage)
                body: Any = await EventStream.begin(chunks, idle_s=self._limits.timeout_s)
            else:
                body = await _whole(events, written, looks)
        except BaseException:
            await events.aclose()
            raise
        ignored = warn([*received.body.more, *_unmet(request)], begun.spec.model)
        return Reply(body, headers=version_headers(begun.spec) | ignored)


def _unmet(request: Sampling) -> list[str]:
    """What is known and not done: a completion's `logprobs` counts other likely tokens."""
    is_asked = isinstance(request, CompletionRequest) and request.logprobs
    return ["logprobs above 0"] if is_asked else []


async def _whole(events: AsyncGenerator[Event, None], written: Written, looks: Looks) -> Any:
    async with aclosing(events):
        async for event in events:
            written.take(event)
    return looks.whole(written)


async def _chunks(
    events: AsyncGenerator[Event, None], written: Written, looks: Looks, *, shows_usage: bool
) -> AsyncGenerator[Any, None]:
    async with aclosing(events):
        async for event in events:
            for chunk in looks.chunks(written, event):
                yield chunk
            written.take(event)
    if shows_usage:
        yield looks.last(written)


def _post(path: str, handler: Any, body: Any, reply: Any, summary: str) -> Endpoint[Any]:
    return Endpoint(
        method="POST",
        path=path,
        handler=handler,
        scope=Scope.PREDICT,
        body=body,
        read=reader(body),
        reply=reply,
        summary=summary,
        tag="openai",
        dialect="openai",
        is_steered=True,
    )
