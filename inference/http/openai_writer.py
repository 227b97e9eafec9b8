"""OpenAI's orders as calls of the service: what a chat or a text asks for, in our task's words."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec

from inference.calls import Call, Started
from inference.generation.events import FinishEvent, TokenEvent
from inference.http.openai_input import detokenizer, texts_of
from inference.http.writing import Begun, Event, Finished, FinishReason, Order, Piece
from inference.service import Service
from inference.streams import check_writes, stream
from inference.tasks.inputs import Conversation, Input, Message

_REASONS: dict[str, FinishReason] = {
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
}


class ServiceWriter:
    """The Writer port over the service; every text is recorded as a prediction when it is whole."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def write(self, order: Order) -> AsyncGenerator[Event, None]:
        check_writes(self._service, order.model)
        inputs = await self._inputs(order)
        async with aclosing(stream(self._service, _call(order, inputs))) as told:
            async for each in told:
                if isinstance(each, Started):
                    yield Begun(each.spec, sum(one.n_tokens for one in each.prepared))
                elif isinstance(each, TokenEvent):
                    wants = order.wants_logprobs
                    if each.text or (wants and not each.is_special):
                        index = each.index * order.n + each.sequence
                        yield Piece(index, each.text, each.logprob if wants else None)
                elif isinstance(each, FinishEvent):
                    index = each.index * order.n + each.sequence
                    yield Finished(index, _REASONS[each.finish_reason], each.n_tokens)

    async def _inputs(self, order: Order) -> list[Input]:
        if not order.prompts:
            return [Conversation(tuple(Message(turn.role, turn.text) for turn in order.turns))]
        find = partial(
            detokenizer,
            self._service.serving,
            order.model,
            timeout_s=order.timeout_s,
            key_id=order.key_id,
            request_id=order.request_id,
            steering=order.steering,
        )
        return list(await texts_of(order.prompts, "prompt", find))


def _call(order: Order, inputs: list[Input]) -> Call:
    return Call(
        model=order.model,
        inputs=inputs,
        parameters=msgspec.Raw(msgspec.json.encode(_parameters(order))),
        request_id=order.request_id,
        dialect="openai",
        key_id=order.key_id,
        subject=order.subject,
        timeout_s=order.timeout_s,
        steering=order.steering,
    )


def _parameters(order: Order) -> dict[str, Any]:
    """Only what was asked: the rest is the version's own. A temperature of 0 means greedy here."""
    asked: dict[str, Any] = {
        "max_new_tokens": order.max_tokens,
        "seed": order.seed,
        "stop": order.stop or None,
        "num_return_sequences": order.n if order.n > 1 else None,
    }
    if order.temperature == 0:
        asked["do_sample"] = False
    else:
        asked |= {"temperature": order.temperature, "top_p": order.top_p}
    return {name: value for name, value in asked.items() if value is not None}
