"""What OpenAI's clients send to have text written, and what they read of it. Pure."""

from typing import Annotated, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Stop = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ModelName = Annotated[str, msgspec.Meta(max_length=200)]


class ContentPart(msgspec.Struct, frozen=True):
    type: Literal["text"]
    text: str


class ChatMessage(msgspec.Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[ContentPart], msgspec.Meta(max_length=100)]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool = False


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """What both kinds of request may ask for; null is the model's own choice."""

    model: ModelName
    max_tokens: Count | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=16)] | None = None
    stop: Stop | Annotated[list[Stop], msgspec.Meta(max_length=4)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Annotated[str, msgspec.Meta(max_length=200)] = ""

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def wants_logprobs(self) -> bool:
        return False

    @property
    def shows_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class ChatRequest(Sampling, frozen=True, kw_only=True):
    """`max_completion_tokens` is the newer name of `max_tokens`, and goes before it. `logprobs`
    tells each token's probability.
    """

    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1, max_length=1000)]
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None

    @property
    def wants_logprobs(self) -> bool:
        return bool(self.logprobs)


class CompletionRequest(Sampling, frozen=True, kw_only=True):
    """`prompt`: a text, token ids of the model's own, or a list of either. `logprobs`, whatever
    number, tells each token's probability.
    """

    prompt: msgspec.Raw
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=5)] | None = None

    @property
    def wants_logprobs(self) -> bool:
        return self.logprobs is not None


class TokenLogprob(msgspec.Struct, frozen=True):
    """`token` is what the token adds to the text, empty while a character is not whole; `logprob`
    is as in `inference.tasks.answers.WrittenToken`. Other tokens are not told.
    """

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: tuple[()] = ()


class ChatLogprobs(msgspec.Struct, frozen=True):
    content: list[TokenLogprob]
    refusal: None = None


class CompletionLogprobs(msgspec.Struct, frozen=True):
    """`text_offset` are the characters of the text before each token."""

    tokens: list[str]
    token_logprobs: list[float]
    text_offset: list[int]
    top_logprobs: None = None


class Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AssistantMessage(msgspec.Struct, frozen=True):
    content: str
    role: Literal["assistant"] = "assistant"


class ChatChoice(msgspec.Struct, frozen=True):
    index: int
    message: AssistantMessage
    finish_reason: str
    logprobs: ChatLogprobs | None = None


class ChatReply(msgspec.Struct, frozen=True):
    id: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"


class CompletionChoice(msgspec.Struct, frozen=True):
    index: int
    text: str
    finish_reason: str | None
    logprobs: CompletionLogprobs | None = None


class CompletionReply(msgspec.Struct, frozen=True):
    """Also an event of a stream, which has part of the text, and `usage` last."""

    id: str
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
    object: Literal["text_completion"] = "text_completion"


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    role: str = ""
    content: str | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    index: int
    delta: Delta
    finish_reason: str | None = None
    logprobs: ChatLogprobs | None = None


class ChatChunk(msgspec.Struct, frozen=True):
    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
