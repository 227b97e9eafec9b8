"""Text that is streamed to Hugging Face's clients: one event a token; with the last one comes the
whole text, and why it ended.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from inference.calls import Call, Started
from inference.generation.events import FinishEvent, TokenEvent
from inference.service import Service
from inference.streams import stream


class Token(msgspec.Struct, frozen=True):
    id: int
    text: str
    logprob: float
    special: bool


class Details(msgspec.Struct, frozen=True):
    finish_reason: str
    generated_tokens: int
    input_length: int
    seed: int | None


class StreamEvent(msgspec.Struct, frozen=True):
    """`generated_text` and `details` come with the last token."""

    index: int
    token: Token
    generated_text: str | None = None
    details: Details | None = None


async def events(service: Service, call: Call) -> AsyncGenerator[Started | StreamEvent, None]:
    """Started, then one event a token; raises as `stream` does."""
    held: TokenEvent | None = None
    n_read = index = 0
    async with aclosing(stream(service, call)) as told:
        async for each in told:
            if isinstance(each, Started):
                n_read = sum(one.n_tokens for one in each.prepared)
                yield each
            elif isinstance(each, TokenEvent):
                if held is not None:
                    yield StreamEvent(index, _token(held))
                held, index = each, index + 1
            elif isinstance(each, FinishEvent) and held is not None:
                details = Details(each.finish_reason, each.n_tokens, n_read, each.seed)
                yield StreamEvent(index, _token(held), each.text, details)


def _token(event: TokenEvent) -> Token:
    return Token(event.token_id, event.text, event.logprob, event.is_special)
