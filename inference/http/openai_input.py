"""What OpenAI's clients may send as text: texts, or token ids of the model that is asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Protocol, cast

import msgspec

from inference import decoding
from inference.errors import InvalidRequest
from inference.http import codec
from inference.routing import Steering
from inference.serving import Serving

TokenId = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Items = Sequence[str] | Sequence[Sequence[int]]
# More than these are turned into text beside the event loop.
MANY_IDS = 1000


class Detokenize(Protocol):
    def __call__(self, ids: Sequence[int], *, field: str) -> str:
        """The text of token ids; raises InvalidRequest for those that are not the model's own."""
        ...


FindDetokenize = Callable[[], Awaitable[Detokenize | None]]


def read_items(value: msgspec.Raw, field: str, *, max_items: int) -> Items:
    """Return the texts, or the rows of token ids, that the JSON under `field` holds.

    Raises InvalidRequest for another shape, TooManyInputs for more than `max_items`.
    """
    kind = str | list[str | TokenId | list[TokenId]]
    items: Any = decoding.convert(value, kind, field)  # type: ignore[arg-type]
    if isinstance(items, str):
        return [items]
    kinds = {type(item) for item in items}
    if len(kinds) > 1:
        raise _wrong(field, "holds texts and token ids together; send one kind")
    rows = [items] if kinds == {int} else items
    codec.check_number(len(rows), field=field, max_inputs=max_items, many_hint="Split them.")
    if not all(rows) and kinds != {str}:
        raise _wrong(field, "holds an empty list of token ids")
    return cast(Items, rows)


async def texts_of(items: Items, field: str, find: FindDetokenize) -> list[str]:
    """Return the texts that `items` are; what reads token ids is found only where there are some.

    Raises as `find` and what it finds do, or InvalidRequest where it finds nothing.
    """
    if isinstance(items[0], str):
        return list(cast(Sequence[str], items))
    rows, detokenize = cast(Sequence[Sequence[int]], items), await find()
    if detokenize is None:
        raise _wrong(field, "holds token ids, which this model's task cannot read. Send text")

    def read() -> list[str]:
        names = [field] if len(rows) == 1 else [f"{field}[{at}]" for at in range(len(rows))]
        return [detokenize(row, field=name) for row, name in zip(rows, names, strict=True)]

    return await asyncio.to_thread(read) if sum(map(len, rows)) > MANY_IDS else read()


async def detokenizer(
    serving: Serving,
    model: str,
    *,
    timeout_s: float,
    key_id: str,
    request_id: str,
    steering: Steering,
) -> Detokenize | None:
    """What reads token ids for the version of `model` that is going to answer, if anything."""
    served = await serving.awake(model, timeout_s)
    predictor = served.choose(key_id, request_id=request_id, steering=steering)
    return getattr(predictor.task, "detokenize", None)


def _wrong(field: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{field!r} {what}.", details={"field": field})
